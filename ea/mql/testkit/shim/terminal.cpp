// Files, time, global variables and properties of the simulated terminal.
#include "terminal.hpp"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace terminal
{
int last_error = 0;
int timer_ms = 0;
bool removed = false;
bool disk_full = false;
long monotonic_skip_us = 0;
long wall_step_us = 0;
static std::map<std::string, Quote> quotes;
static std::map<int, int> open_files; // our handle -> descriptor
static int next_file = 1;

static long clock_us(clockid_t clock)
{
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

long wall_us() { return clock_us(CLOCK_REALTIME) + monotonic_skip_us + wall_step_us; }

long monotonic_us()
{
  static const long start = clock_us(CLOCK_MONOTONIC);
  return clock_us(CLOCK_MONOTONIC) - start + monotonic_skip_us + 1;
}

std::string setting(const char *name, const char *otherwise)
{
  const char *value = getenv(name);
  return value ? value : otherwise;
}

// The list under Tools > Options: hosts, with or without a scheme.
bool host_is_allowed(const std::string &host)
{
  std::string list = "," + setting("TERMINAL_ALLOW", "127.0.0.1") + ",";
  for (const char *scheme : {"", "http://", "https://"})
    if (list.find("," + std::string(scheme) + host + ",") != std::string::npos)
      return true;
  return false;
}

void quote_set(const Quote &quote) { quotes[quote.symbol] = quote; }

// The sandbox: a path below Files of this terminal. One that leaves it is refused.
static std::string sandboxed(const string &name)
{
  std::string path = name.utf8();
  for (char &letter : path)
    letter = letter == '\\' ? '/' : letter;
  if (path.empty() || path[0] == '/' || path.find("..") != std::string::npos || path.find(':') != std::string::npos)
    critical("a file outside of the sandbox");
  return "Files/" + path;
}

static void make_folders(const std::string &path)
{
  for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1))
    mkdir(path.substr(0, at).c_str(), 0755);
}

static int descriptor(int file)
{
  auto found = open_files.find(file);
  if (found == open_files.end())
    critical("a file that is not open", file);
  return found->second;
}

static std::string variable_path(const string &name) { return "globals/" + name.utf8(); }
} // namespace terminal

using namespace terminal;

int FileOpen(string name, int flags, short, uint)
{
  std::string path = sandboxed(name);
  int mode = flags & FILE_WRITE ? O_RDWR | O_CREAT : O_RDONLY;
  // Write without read empties the file.
  if ((flags & FILE_WRITE) && !(flags & FILE_READ))
    mode |= O_TRUNC;
  if (flags & FILE_WRITE)
    make_folders(path);
  int opened = open(path.c_str(), mode | O_CLOEXEC, 0644);
  if (opened < 0)
  {
    last_error = 5004;
    return INVALID_HANDLE;
  }
  if (!(flags & (FILE_SHARE_READ | FILE_SHARE_WRITE)) && flock(opened, LOCK_EX | LOCK_NB) != 0)
  {
    close(opened);
    last_error = 5004;
    return INVALID_HANDLE;
  }
  open_files[next_file] = opened;
  return next_file++;
}

void FileClose(int file)
{
  close(descriptor(file));
  open_files.erase(file);
}

void FileFlush(int file) { descriptor(file); }

ulong FileSize(int file)
{
  struct stat info;
  fstat(descriptor(file), &info);
  return static_cast<ulong>(info.st_size);
}

bool FileSeek(int file, long offset, ENUM_FILE_POSITION origin) { return lseek(descriptor(file), offset, origin) >= 0; }
bool FileIsExist(const string name, int) { return access(sandboxed(name).c_str(), F_OK) == 0; }
bool FileDelete(const string name, int) { return unlink(sandboxed(name).c_str()) == 0; }

bool FileMove(const string from, int, const string to, int mode_flags)
{
  if (!(mode_flags & FILE_REWRITE) && FileIsExist(to))
    return false;
  return rename(sandboxed(from).c_str(), sandboxed(to).c_str()) == 0;
}

// A full disk takes half of what is written.
uint FileWriteArray(int file, const MqlArray<uchar> &bytes, int start, int count)
{
  int there = ArraySize(bytes) - start;
  int wanted = count < 0 || count > there ? there : count;
  if (disk_full)
    wanted /= 2;
  ssize_t written = wanted > 0 ? write(descriptor(file), bytes.items.data() + start, static_cast<size_t>(wanted)) : 0;
  return written < 0 ? 0 : static_cast<uint>(written);
}

uint FileReadArray(int file, MqlArray<uchar> &bytes, int start, int count)
{
  if (ArraySize(bytes) < start + count && ArrayResize(bytes, start + count) < 0)
    count = ArraySize(bytes) - start;
  ssize_t got = count > 0 ? read(descriptor(file), bytes.items.data() + start, static_cast<size_t>(count)) : 0;
  return got < 0 ? 0 : static_cast<uint>(got);
}

datetime GlobalVariableSet(string name, double value)
{
  mkdir("globals", 0755);
  FILE *file = fopen(variable_path(name).c_str(), "w");
  if (!file)
    return 0;
  fprintf(file, "%.17g", value);
  fclose(file);
  return TimeLocal();
}

bool GlobalVariableCheck(string name) { return access(variable_path(name).c_str(), F_OK) == 0; }

double GlobalVariableGet(string name)
{
  double value = 0;
  FILE *file = fopen(variable_path(name).c_str(), "r");
  if (!file)
    return 0;
  if (fscanf(file, "%lf", &value) != 1)
    value = 0;
  fclose(file);
  return value;
}

void GlobalVariablesFlush() {}

ulong GetMicrosecondCount() { return static_cast<ulong>(monotonic_us()); }
uint GetTickCount() { return static_cast<uint>(monotonic_us() / 1000); }
datetime TimeGMT() { return static_cast<datetime>(wall_us() / 1000000); }
datetime TimeLocal() { return TimeGMT(); }
// The time of the last quote; here there is always a fresh one. It is in the broker's time zone.
datetime TimeCurrent()
{
  long zone_s = atoll(setting("TERMINAL_ZONE_S", "7200").c_str());
  return static_cast<datetime>((wall_us() - wall_step_us) / 1000000 + zone_s);
}

bool EventSetMillisecondTimer(int milliseconds)
{
  timer_ms = milliseconds;
  return milliseconds > 0;
}
void EventKillTimer() { timer_ms = 0; }
void ExpertRemove() { removed = true; }

void ResetLastError() { last_error = 0; }

long AccountInfoInteger(ENUM_ACCOUNT_INFO_INTEGER) { return atoll(setting("TERMINAL_LOGIN", "5012345").c_str()); }
string AccountInfoString(ENUM_ACCOUNT_INFO_STRING) { return string(setting("TERMINAL_SERVER", "Demo-Server")); }
int TerminalInfoInteger(int property) { return property == TERMINAL_BUILD ? 4620 : 0; }
string TerminalInfoString(int property) { return property == TERMINAL_NAME ? "Simulated terminal" : "C:\\Terminal"; }
int MQLInfoInteger(int property) { return property == MQL_TESTER ? atoi(setting("TERMINAL_TESTER", "0").c_str()) : 0; }
long SymbolInfoInteger(string, ENUM_SYMBOL_INFO_INTEGER) { return 5; }

double SymbolInfoDouble(string symbol, ENUM_SYMBOL_INFO_DOUBLE property)
{
  auto found = quotes.find(symbol.utf8());
  if (found == quotes.end())
    return 0;
  return property == SYMBOL_BID ? found->second.bid : found->second.ask;
}
