// The terminal simulator: starts the expert, turns its timer, and does what its standard input says, one command a line.
//
//   deal ..., order ..., close ..., call ...   see mql5.cpp and mql4.cpp
//   quote symbol= bid= ask=                    a new quote
//   skip ms=                                   time passes while the expert does not run (its thread was blocked)
//   step ms=                                   the computer's clock is set
//   disk state=full|ok                         the disk takes half of what is written, or all
//   sleep ms=                                  go on with the script later; the timer keeps turning
//   comment                                    print the chart's comment, and its end
//   stop                                       remove the expert and end
//
// Each command is answered with "[sim] done <command>". End of input means stop.
#include "simulator.hpp"

#include <csignal>
#include <poll.h>
#include <unistd.h>

int OnInit();
void OnDeinit(const int reason);
void OnTimer();

namespace
{
std::string comment;
std::string input;
bool input_open = true;
bool stopping = false;
long input_from_us = 0; // commands wait until then
long next_turn_us = 0;

simulator::Words words_of(const std::string &line, size_t at)
{
  simulator::Words words;
  while (at < line.size())
  {
    size_t equals = line.find('=', at);
    if (equals == std::string::npos)
      break;
    std::string name = line.substr(at, equals - at);
    size_t end = name == "text" ? line.size() : std::min(line.find(' ', equals), line.size());
    words.values[name] = line.substr(equals + 1, end - equals - 1);
    at = end + 1;
  }
  return words;
}

bool obey_common(const std::string &command, const simulator::Words &words)
{
  long ms = atol(words.get("ms", "0").c_str());
  if (command == "skip")
    terminal::monotonic_skip_us += ms * 1000;
  else if (command == "step")
    terminal::wall_step_us += ms * 1000;
  else if (command == "sleep")
    input_from_us = terminal::monotonic_us() + ms * 1000;
  else if (command == "disk")
    terminal::disk_full = words.get("state", "ok") == "full";
  else if (command == "quote")
    terminal::quote_set({words.get("symbol", ""), atof(words.get("bid", "0").c_str()), atof(words.get("ask", "0").c_str())});
  else if (command == "comment")
    terminal::print("comment", comment + "\n[end]");
  else if (command == "stop")
    stopping = true;
  else
    return false;
  return true;
}

void obey(const std::string &line)
{
  size_t blank = line.find(' ');
  std::string command = line.substr(0, blank);
  if (command.empty() || command[0] == '#')
    return;
  simulator::Words words = words_of(line, blank == std::string::npos ? line.size() : blank + 1);
  if (!obey_common(command, words) && !simulator::obey(command, words))
    terminal::critical("a command that the simulator does not know");
  terminal::print("sim", "done " + command);
}

void read_input()
{
  char chunk[4096];
  ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
  if (got <= 0)
    input_open = false;
  else
    input.append(chunk, static_cast<size_t>(got));
}

// Do the commands that have come, unless the script sleeps.
void do_commands()
{
  size_t end;
  while (!stopping && !terminal::removed && terminal::monotonic_us() >= input_from_us &&
         (end = input.find('\n')) != std::string::npos)
  {
    std::string line = input.substr(0, end);
    input.erase(0, end + 1);
    obey(line);
  }
  if (!input_open && input.find('\n') == std::string::npos && terminal::monotonic_us() >= input_from_us)
    stopping = true;
}

// Wait for input until the next turn of the timer. A turn that was missed is not made up for: one event is queued at most.
void wait_for_input()
{
  long left_us = terminal::timer_ms > 0 ? next_turn_us - terminal::monotonic_us() : 10000;
  pollfd waiting{input_open ? STDIN_FILENO : -1, POLLIN, 0};
  int left_ms = left_us > 0 ? static_cast<int>(left_us / 1000) : 0;
  if (poll(&waiting, 1, left_ms) == 1)
    read_input();
}
} // namespace

void terminal::show(const std::string &text) { comment = text; }

int main(int count, char **arguments)
{
  if (count != 2 || chdir(arguments[1]) != 0)
  {
    fprintf(stderr, "usage: %s FOLDER_OF_THE_TERMINAL < SCRIPT\n", arguments[0]);
    return 2;
  }
  // A server that is gone is an error of the send, and no end of the program.
  signal(SIGPIPE, SIG_IGN);
  simulator::begin();
  int started = OnInit();
  terminal::print("sim", "started " + std::to_string(started));
  if (started != INIT_SUCCEEDED)
  {
    terminal::print("comment", comment + "\n[end]");
    OnDeinit(8);
    return 3;
  }
  while (!stopping && !terminal::removed)
  {
    wait_for_input();
    do_commands();
    if (terminal::timer_ms > 0 && terminal::monotonic_us() >= next_turn_us)
    {
      OnTimer();
      next_turn_us = terminal::monotonic_us() + terminal::timer_ms * 1000L;
    }
  }
  OnDeinit(terminal::removed ? 0 : 1);
  terminal::print("sim", terminal::removed ? "removed" : "stopped");
  return 0;
}
