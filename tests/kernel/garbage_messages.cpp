// SPDX-License-Identifier: GPL-2.0-or-later
// garbage_messages NAME INSTANCE COUNT [SEED]: sends messages to a device-mapper device of this
// name that are nearly right, or not at all, and counts how they were answered. None may change a
// mark: those that would be understood are for epochs and lists only.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

namespace {

constexpr std::size_t kBufferBytes = 8192;

class Garbage {
 public:
  Garbage(std::string instance, unsigned seed) : instance_(std::move(instance)), random_(seed) {}

  std::string message() {
    std::string text = pick(kVerbs);
    const bool understood = !chance(3);
    text += understood ? " 1 " + instance_ : " " + word() + " " + word();
    for (std::size_t words = below(5); words > 0; --words) {
      text += " " + word();
    }
    if (chance(20)) {
      text.append(below(3000), static_cast<char>(1 + below(255)));
    }
    for (std::size_t changes = chance(3) ? below(4) : 0; changes > 0 && !text.empty(); --changes) {
      text[below(text.size())] = static_cast<char>(1 + below(255));
    }
    return text;
  }

  // Where the answer may go: often too little.
  std::size_t room() { return chance(4) ? below(64) : below(kBufferBytes); }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  bool chance(unsigned one_in) { return below(one_in) == 0; }

  template <typename List>
  std::string pick(const List& list) {
    return list[below(list.size())];
  }

  std::string word() {
    switch (below(6)) {
      case 0:
        return std::to_string(random_());
      case 1:
        return std::to_string(below(100)) + "+" + std::to_string(below(100));
      case 2:
        return pick(kWords);
      case 3:
        return std::string(below(40), static_cast<char>(48 + below(75)));
      case 4:
        return instance_;
      default:
        return std::to_string(below(70));
    }
  }

  static constexpr std::array kVerbs = {"hello", "mark",        "clear", "drain", "marks",
                                        "epoch", "settle",      "dirty", "slow",  "written",
                                        "",      "@stats_list", "\\",    "MARK",  "hello "};
  static constexpr std::array kWords = {"+",
                                        "-1",
                                        "1+",
                                        "+1",
                                        "0+0",
                                        "0x1+1",
                                        "1+-1",
                                        "0+65",
                                        "64+1",
                                        "4294967295+2",
                                        "2+4294967295",
                                        "1++1",
                                        "\\ ",
                                        "0+18446744073709551616",
                                        "99999999999999999999",
                                        "%s%n%x",
                                        "''"};
  std::string instance_;
  std::mt19937 random_;
};

// 0, or the error; `answered` if there was data.
int send(int control, const char* name, const std::string& text, std::size_t room, bool& answered) {
  static std::vector<char> buffer(kBufferBytes * 2);
  auto* request = new (buffer.data()) dm_ioctl{};
  request->version[0] = DM_VERSION_MAJOR;
  request->data_start = sizeof *request;
  std::strncpy(request->name, name, sizeof request->name - 1);
  const std::size_t needed = sizeof(dm_target_msg) + text.size() + 1;
  request->data_size = static_cast<unsigned>(sizeof *request + std::max(needed, room));
  auto* message = new (buffer.data() + sizeof *request) dm_target_msg{};
  std::memcpy(message->message, text.c_str(), text.size() + 1);
  const int failed = ioctl(control, DM_TARGET_MSG, request);
  answered = (request->flags & DM_DATA_OUT_FLAG) != 0;
  return failed == 0 ? 0 : errno;
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) {
    std::fprintf(stderr, "usage: garbage_messages NAME INSTANCE COUNT [SEED]\n");
    return 2;
  }
  const int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) {
    std::perror("/dev/mapper/control");
    return 2;
  }
  Garbage garbage(words[2], count > 4 ? static_cast<unsigned>(std::atoi(words[4])) : 1);
  std::map<std::string, long> answers;
  for (long left = std::atol(words[3]); left > 0; --left) {
    bool answered = false;
    const std::string text = garbage.message();
    const int error = send(control, words[1], text, garbage.room(), answered);
    // What begins with @ is for device mapper itself, and may succeed without data.
    if (error == 0 && !answered && text[0] != '@') {
      std::printf("no error and no answer: %s\n", text.c_str());
      return 1;
    }
    ++answers[error == 0 ? "answered" : std::strerror(error)];
  }
  for (const auto& [answer, times] : answers) {
    std::printf("%s: %ld\n", answer.c_str(), times);
  }
  return 0;
}
