// What MetaTrader 5 and 4 have in common, with the documented signatures: files, time, global variables, crypto, WebRequest.
#pragma once
#include "language.hpp"

enum
{
  INVALID_HANDLE = -1,
  INIT_SUCCEEDED = 0,
  INIT_FAILED = 1
};

// Files: only below Files of this terminal. An open file is barred to others unless a share flag says otherwise.
enum
{
  FILE_READ = 1,
  FILE_WRITE = 2,
  FILE_BIN = 4,
  FILE_CSV = 8,
  FILE_TXT = 16,
  FILE_ANSI = 32,
  FILE_UNICODE = 64,
  FILE_SHARE_READ = 128,
  FILE_SHARE_WRITE = 256,
  FILE_REWRITE = 512,
  FILE_COMMON = 4096
};
#undef SEEK_SET
#undef SEEK_CUR
#undef SEEK_END
enum ENUM_FILE_POSITION { SEEK_SET, SEEK_CUR, SEEK_END };

int FileOpen(string name, int flags, short delimiter = '\t', uint codepage = CP_ACP);
void FileClose(int file);
void FileFlush(int file);
ulong FileSize(int file);
bool FileSeek(int file, long offset, ENUM_FILE_POSITION origin);
bool FileIsExist(const string name, int common_flag = 0);
bool FileDelete(const string name, int common_flag = 0);
bool FileMove(const string from, int common_flag, const string to, int mode_flags);
uint FileWriteArray(int file, const MqlArray<uchar> &bytes, int start = 0, int count = WHOLE_ARRAY);
uint FileReadArray(int file, MqlArray<uchar> &bytes, int start = 0, int count = WHOLE_ARRAY);

// Terminal's global variables: doubles that outlive the program.
datetime GlobalVariableSet(string name, double value);
double GlobalVariableGet(string name);
bool GlobalVariableCheck(string name);
void GlobalVariablesFlush();

// Time: TimeGMT has steps of one second.
ulong GetMicrosecondCount();
uint GetTickCount();
datetime TimeGMT();
datetime TimeLocal();
datetime TimeCurrent();

// Events: one timer a program.
bool EventSetMillisecondTimer(int milliseconds);
void EventKillTimer();
void ExpertRemove();

int GetLastError();
void ResetLastError();

enum ENUM_CRYPT_METHOD
{
  CRYPT_BASE64,
  CRYPT_AES128,
  CRYPT_AES256,
  CRYPT_DES,
  CRYPT_HASH_SHA1,
  CRYPT_HASH_SHA256,
  CRYPT_HASH_MD5,
  CRYPT_ARCH_ZIP
};
int CryptEncode(ENUM_CRYPT_METHOD method, const MqlArray<uchar> &data, const MqlArray<uchar> &key, MqlArray<uchar> &result);

int WebRequest(const string method, const string url, const string headers, int timeout, const MqlArray<char> &data,
               MqlArray<char> &result, string &result_headers);

enum ENUM_ACCOUNT_INFO_INTEGER { ACCOUNT_LOGIN };
enum ENUM_ACCOUNT_INFO_STRING { ACCOUNT_SERVER };
enum ENUM_TERMINAL_INFO_INTEGER { TERMINAL_BUILD };
enum ENUM_TERMINAL_INFO_STRING { TERMINAL_NAME, TERMINAL_DATA_PATH };
enum ENUM_MQL_INFO_INTEGER { MQL_TESTER };
enum ENUM_SYMBOL_INFO_INTEGER { SYMBOL_DIGITS };
enum ENUM_SYMBOL_INFO_DOUBLE { SYMBOL_BID, SYMBOL_ASK };
long AccountInfoInteger(ENUM_ACCOUNT_INFO_INTEGER property);
string AccountInfoString(ENUM_ACCOUNT_INFO_STRING property);
int TerminalInfoInteger(int property);
string TerminalInfoString(int property);
int MQLInfoInteger(int property);
long SymbolInfoInteger(string symbol, ENUM_SYMBOL_INFO_INTEGER property);
double SymbolInfoDouble(string symbol, ENUM_SYMBOL_INFO_DOUBLE property);

enum { CHARTEVENT_CUSTOM = 1000 };

namespace terminal
{
// State of the simulated terminal, moved on by the driver.
struct Quote
{
  std::string symbol;
  double bid, ask;
};
extern int last_error;
extern int timer_ms;
extern bool removed;
extern bool disk_full;
extern long monotonic_skip_us; // time that passed while nothing ran
extern long wall_step_us;      // how far the clock of the computer was set

long wall_us();
long monotonic_us();
std::string setting(const char *name, const char *otherwise);
bool host_is_allowed(const std::string &host);
void quote_set(const Quote &quote);
int connected_socket(const std::string &host, int port, int timeout_ms);

// Inputs may be set from outside by an environment variable of the same name.
template <class T> T input_value(const char *name, T otherwise)
{
  const char *text = getenv(name);
  if (!text)
    return otherwise;
  if constexpr (std::is_same_v<T, string>)
    return string(text);
  else if constexpr (std::is_same_v<T, double>)
    return atof(text);
  else
    return static_cast<T>(atoll(text));
}
} // namespace terminal
