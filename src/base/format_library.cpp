// SPDX-License-Identifier: GPL-2.0-or-later
// The library fmt, compiled from its headers into a program for which a boot waits: the shared one
// would load the shared C++ library with it, whose thousands of symbols take the loader longer than
// all else.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template auto dragonbox::to_decimal(float x) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double x) noexcept -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl(locale_ref where) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref where) -> char;

}  // namespace detail
FMT_END_NAMESPACE
