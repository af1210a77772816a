// SPDX-License-Identifier: GPL-2.0-or-later
#include "control.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/checksum.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;

constexpr std::size_t kLineLimit = std::size_t{64} << 20;  // a list of a million faults fits
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

std::string dump(const json& value) {
  // Paths are bytes; what is not UTF-8 in them must not stop the answer.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<std::string> read_line(int fd) {
  std::string line;
  std::array<char, 65536> part{};
  while (line.size() < kLineLimit) {
    const ssize_t got = ::recv(fd, part.data(), part.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    line.append(part.data(), static_cast<std::size_t>(got));
    if (line.back() == '\n') return line;
  }
  return std::nullopt;
}

bool write_line(int fd, const std::string& text) {
  const std::string line = text + "\n";
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t put = ::send(fd, line.data() + done, line.size() - done, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return true;
}

void be_patient(int fd) {
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

// A socket's address holds 107 bytes and a path may be longer: the directory is named by an open
// descriptor of it instead.
struct Address {
  FileDescriptor directory;
  sockaddr_un value{};

  static Result<Address> of(const RuntimeFiles& files) {
    Address out;
    out.directory =
        FileDescriptor(::open(files.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!out.directory.valid()) {
      return fail_errno(errno, "open the runtime directory", files.directory);
    }
    out.value.sun_family = AF_UNIX;
    const std::string path =
        fmt::format("/proc/self/fd/{}/{}.sock", out.directory.get(), files.stem);
    std::memcpy(static_cast<char*>(out.value.sun_path), path.c_str(), path.size() + 1);
    return out;
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&value); }
};

Result<json> answer_line(const std::string& line, const ControlSocket::Answer& answer) {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object() || request.value("version", json()) != json(kProtocolVersion)) {
    return fail(ErrorCode::protocol, "not a request of this version", {},
                "use the dmremap-lab that serves the disk");
  }
  try {
    return answer(request);
  } catch (const json::exception& error) {
    return fail(ErrorCode::protocol, fmt::format("malformed request ({})", error.what()));
  }
}

Error error_of(const json& value) {
  const auto text = [&value](const char* key) {
    const auto it = value.find(key);
    return it != value.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  Error out{ErrorCode::internal, text("what"), text("where"), text("hint")};
#define DMREMAP_BY_NAME(id, name, error_class) \
  if (text("code") == (name)) out.code = ErrorCode::id;
  DMREMAP_ERROR_CODES(DMREMAP_BY_NAME)
#undef DMREMAP_BY_NAME
  return out;
}

}  // namespace

json to_json(const Error& error) {
  return {{"code", name_of(error.code)},
          {"what", error.what},
          {"where", error.where},
          {"hint", error.hint}};
}

Result<RuntimeFiles> RuntimeFiles::of(const std::string& mountfile) {
  RuntimeFiles out;
  const char* const chosen = std::getenv("DMREMAP_RUNTIME_DIR");
  const char* const session = std::getenv("XDG_RUNTIME_DIR");
  if (chosen != nullptr && *chosen != '\0') {
    out.directory = chosen;
  } else if (::geteuid() == 0) {
    out.directory = "/run/dmremap";
  } else if (session != nullptr && *session != '\0') {
    out.directory = std::string(session) + "/dmremap";
  } else {
    return fail(ErrorCode::usage, "no directory for runtime files", "XDG_RUNTIME_DIR",
                "set DMREMAP_RUNTIME_DIR");
  }
  const Sha256 digest = sha256(std::as_bytes(std::span(mountfile)));
  out.stem = "lab-";
  for (const std::byte b : std::span(digest).first(8)) {
    out.stem += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  }
  return out;
}

Result<void> RuntimeFiles::make_directory() const {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno(errno, "make the runtime directory", directory, "set DMREMAP_RUNTIME_DIR");
}

Result<ControlSocket> ControlSocket::listen(const RuntimeFiles& files) {
  const auto address = Address::of(files);
  if (!address) return tl::unexpected(address.error());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno(errno, "make the control socket", files.socket());
  ::unlink(files.socket().c_str());
  // bind(2) makes the socket with the mode that the umask leaves; there must be no moment in which
  // others can connect.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), address->get(), sizeof address->value);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail_errno(error, "make the control socket", files.socket());
  ControlSocket out(files.socket(), std::move(fd));
  if (::listen(out.fd_.get(), 16) != 0) {
    return fail_errno(errno, "listen on the control socket", files.socket());
  }
  return out;
}

ControlSocket::~ControlSocket() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

void ControlSocket::serve_one(const Answer& answer) {
  const FileDescriptor client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid()) return;
  be_patient(client.get());
  const auto line = read_line(client.get());
  if (!line) return;
  const auto result = answer_line(*line, answer);
  write_line(client.get(),
             dump(result ? json{{"result", *result}} : json{{"error", to_json(result.error())}}));
}

Result<ControlClient> ControlClient::connect(const RuntimeFiles& files,
                                             const std::string& mountfile) {
  const auto address = Address::of(files);
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail_errno(errno, "make a socket", mountfile);
  if (!address || ::connect(fd.get(), address->get(), sizeof address->value) != 0) {
    if (address && errno != ENOENT && errno != ECONNREFUSED) {
      return fail_errno(errno, "reach the lab that serves it", mountfile);
    }
    return fail(ErrorCode::not_running, "no lab serves it", mountfile,
                "start one with dmremap-lab serve IMAGE MOUNTFILE");
  }
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail_errno(errno, "ask who serves it", mountfile);
  }
  // glibc before 2.36 has no wrapper.
  FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
  return ControlClient(mountfile, std::move(fd), std::move(process));
}

Result<json> ControlClient::ask(json request) {
  request["version"] = kProtocolVersion;
  const bool asked = write_line(fd_.get(), dump(request));
  const auto line = asked ? read_line(fd_.get()) : std::nullopt;
  const json answer = line ? json::parse(*line, nullptr, false) : json();
  if (answer.is_object() && answer.contains("error")) {
    return tl::unexpected(error_of(answer["error"]));
  }
  if (answer.is_object() && answer.contains("result")) return answer["result"];
  return fail(ErrorCode::protocol, "the lab gave no answer", mountfile_,
              "see whether it still runs");
}

Result<void> ControlClient::wait_for_end(std::chrono::milliseconds limit) const {
  pollfd watched{.fd = process_.get(), .events = POLLIN, .revents = 0};
  // Without a pidfd it had ended before we could ask for one.
  if (!process_.valid() || ::poll(&watched, 1, static_cast<int>(limit.count())) == 1) return {};
  return fail(ErrorCode::timeout, "the lab does not end", mountfile_, "end its process");
}

}  // namespace dmremap::lab
