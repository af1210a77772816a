// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include <fmt/format.h>
#include <zlib.h>

#include "base/aligned_buffer.hpp"
#include "base/checksum.hpp"
#include "measure.hpp"
#include "sections.hpp"

namespace dmremap::bench {

namespace {

// So much at a time that the clock does not count.
constexpr std::size_t kBytesATime = std::size_t{8} << 20U;

volatile unsigned sink = 0;  // what is computed is needed

double gigabytes_a_second(double seconds) {
  return static_cast<double>(kBytesATime) / seconds / 1e9;
}

Estimate rate(const Estimate& time) {
  return {gigabytes_a_second(time.median), gigabytes_a_second(time.high),
          gigabytes_a_second(time.low)};
}

template <typename Sum>
Way summing(std::span<const std::byte> data, Sum sum) {
  return {{}, [data, sum] {
            for (std::size_t done = 0; done < kBytesATime; done += data.size()) {
              sink = sink + sum(data);
            }
          }};
}

unsigned zlib_crc32(std::span<const std::byte> data) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  return static_cast<unsigned>(crc32(0, bytes, static_cast<unsigned>(data.size())));
}

unsigned first_of_sha256(std::span<const std::byte> data) {
  return std::to_integer<unsigned>(sha256(data).front());
}

}  // namespace

void print_checksums(unsigned rounds) {
  fmt::print("\n### Checksums\n\n{} pairs with CRC32C, GB/s; time of CRC32C = 1\n\n", rounds);
  print_titles(
      {"bytes", "CRC32C (ISA-L)", "CRC32 (zlib)", "its time", "SHA-256 (Nettle)", "its time"});
  for (const std::size_t bytes : {std::size_t{512}, std::size_t{4'096}, std::size_t{262'144}}) {
    AlignedBuffer buffer(bytes);
    for (std::size_t i = 0; i < bytes; ++i) buffer.span()[i] = static_cast<std::byte>(i * 7);
    const std::span<const std::byte> data = buffer.span();
    const Way ours = summing(data, [](auto part) { return crc32c(part); });
    const Comparison zlib = compare(ours, summing(data, zlib_crc32), rounds);
    const Comparison sha = compare(ours, summing(data, first_of_sha256), rounds);
    print_row({fmt::format("{}", bytes), text(rate(zlib.a_seconds)), text(rate(zlib.b_seconds)),
               text(zlib.ratio, 1, 1), text(rate(sha.b_seconds)), text(sha.ratio, 1, 1)});
  }
}

}  // namespace dmremap::bench
