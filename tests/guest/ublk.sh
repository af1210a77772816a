# SPDX-License-Identifier: GPL-2.0-or-later
# What payloads share that serve a set by ublk.
# in_doubt NAME: a flush of main or of the spare is under way, or has failed and nobody was told, as
# the memory of the running set says (src/remap/engine_memory.hpp, src/table/unflushed_writes.hpp).
in_doubt() {
  [ "$(od -An -v -tu8 -j 22464 -N 16 "/run/dmremap/$1.memory" | tr -d ' ')" != 00 ]
}

set_pid() { dmremap status "$1" --json | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*'; }

# kill_set NAME: kill -9, but not in the middle of a flush: that one would fail, as it must.
kill_set() {
  _pid=$(set_pid "$1")
  while :; do
    kill -STOP "$_pid"
    in_doubt "$1" || break
    kill -CONT "$_pid"
    sleep 0.01
  done
  kill -KILL "$_pid"
}

# stop_set NAME: also if it does not run any more.
stop_set() { dmremap stop "$1" > /dev/null 2>&1 || true; }

# The same while the set cannot answer.
set_pid_of_file() { cat "/run/dmremap/$1.pid"; }

# status_of NAME: to the file `status`, whatever state the set is in.
status_of() { dmremap status "$1" --json > status || [ $? = 4 ]; }
