#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In a guest that counts instructions, time is a count of them: the same work takes the same time,
# whatever else the host does, and twice the work twice the time.
#: kernels 6.12 6.1
#: icount yes
#: programs date
. ../lib.sh

modprobe null_blk nr_devices=1 queue_mode=2 irqmode=0 gb=1
at_exit rmmod null_blk

# instructions REQUESTS: of that many reads of 4 KiB.
instructions() {
  begin=$(date +%s%N)
  dd if=/dev/nullb0 of=/dev/null bs=4k count="$1" iflag=direct status=none
  end=$(date +%s%N)
  echo $((end - begin))
}
instructions 1000 > /dev/null
once=$(instructions 20000)
again=$(instructions 20000)
twice=$(instructions 40000)
thrice=$(instructions 60000)
read=$(((twice - once) / 20000))
echo "20000 reads: $once and $again; 40000: $twice; 60000: $thrice; one read: $read"
within() { [ $(($1 * 1000)) -gt $(($2 * 995)) ] && [ $(($1 * 1000)) -lt $(($2 * 1005)) ]; }
check "the same within 0.5 %" within "$once" "$again"
# Starting dd costs something too, so differences are compared.
check "20000 more cost the same again" within $((thrice - twice)) $((twice - once))
check "a read takes thousands of instructions" test $read -gt 2000 -a $read -lt 20000
