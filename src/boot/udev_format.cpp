// SPDX-License-Identifier: GPL-2.0-or-later
// The part of the library fmt that dmremap-udev needs, compiled into it from the library's headers.
// The shared library would load the shared C++ library with it, which takes as long as all else
// that the program does.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl(locale_ref where) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref where) -> char;

}  // namespace detail
FMT_END_NAMESPACE
