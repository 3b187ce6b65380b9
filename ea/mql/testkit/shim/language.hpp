// The language of MQL as C++17: types, UTF-16 strings, range-checked arrays, formatting with checked arguments.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

typedef unsigned char uchar;
// Without a sign: a difference that may be negative is taken between whole numbers.
typedef uint64_t datetime;
typedef uint32_t color;
// uint, ushort and ulong come from the C library.
static_assert(sizeof(long) == 8 && sizeof(ulong) == 8 && sizeof(uint) == 4, "a platform with 64-bit long is needed");

namespace terminal
{
// What a terminal calls a critical error: it stops the program.
[[noreturn]] void critical(const char *what, long first = 0, long second = 0);
std::u16string wide(const std::string &text);
std::string narrow(const std::u16string &text);
} // namespace terminal

struct string
{
  std::u16string text;

  string() {}
  string(const char *literal) : text(terminal::wide(literal)) {}
  string(const std::string &utf8) : text(terminal::wide(utf8)) {}
  string(std::u16string letters) : text(std::move(letters)) {}
  // MetaEditor turns numbers into text by itself and warns; our sources say how.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>>> string(T) = delete;
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>> string &operator=(T) = delete;

  string &operator+=(const string &other)
  {
    text += other.text;
    return *this;
  }
  std::string utf8() const { return terminal::narrow(text); }
};

inline string operator+(const string &left, const string &right) { return string(left.text + right.text); }
inline bool operator==(const string &left, const string &right) { return left.text == right.text; }
inline bool operator!=(const string &left, const string &right) { return left.text != right.text; }

// A dynamic or fixed array. New elements of numbers hold rubbish, as in a terminal.
template <class T> struct MqlArray
{
  std::vector<T> items;
  bool fixed = false;

  MqlArray() {}
  explicit MqlArray(int count) : fixed(true) { grow(count); }
  MqlArray(const MqlArray &) = delete;
  MqlArray &operator=(const MqlArray &) = delete;

  void grow(int count)
  {
    size_t before = items.size();
    items.resize(static_cast<size_t>(count));
    if constexpr (std::is_arithmetic_v<T>)
      for (size_t i = before; i < items.size(); i++)
        memset(&items[i], 0xA5, sizeof(T));
  }
  T &operator[](long place)
  {
    if (place < 0 || place >= static_cast<long>(items.size()))
      terminal::critical("array out of range", place, static_cast<long>(items.size()));
    return items[static_cast<size_t>(place)];
  }
  const T &operator[](long place) const { return const_cast<MqlArray *>(this)->operator[](place); }
};

enum
{
  WHOLE_ARRAY = -1,
  CP_ACP = 0,
  CP_UTF8 = 65001
};

template <class T> int ArraySize(const MqlArray<T> &array) { return static_cast<int>(array.items.size()); }

template <class T> int ArrayResize(MqlArray<T> &array, int count, int reserve = 0)
{
  if (array.fixed || count < 0)
    return -1;
  if (reserve > 0 && array.items.capacity() < static_cast<size_t>(count))
    array.items.reserve(static_cast<size_t>(count + reserve));
  array.grow(count);
  return count;
}

template <class T>
int ArrayCopy(MqlArray<T> &to, const MqlArray<T> &from, int to_start = 0, int from_start = 0, int count = WHOLE_ARRAY)
{
  int there = ArraySize(from) - from_start;
  int wanted = count < 0 || count > there ? there : count;
  if (wanted <= 0)
    return 0;
  if (ArraySize(to) < to_start + wanted && !to.fixed)
    to.grow(to_start + wanted);
  if (ArraySize(to) - to_start < wanted)
    wanted = ArraySize(to) - to_start;
  std::vector<T> part(from.items.begin() + from_start, from.items.begin() + from_start + wanted);
  std::copy(part.begin(), part.end(), to.items.begin() + to_start);
  return wanted;
}

int StringLen(string text);
int StringFind(string text, string wanted, int start = 0);
string StringSubstr(string text, int start, int length = -1);
ushort StringGetCharacter(string text, int place);
string ShortToString(ushort letter);
long StringToInteger(string text);
double StringToDouble(string text);
string IntegerToString(long number, int width = 0, ushort fill = ' ');
string DoubleToString(double number, int digits = 8);
int StringToCharArray(string text, MqlArray<uchar> &out, int start = 0, int count = WHOLE_ARRAY, uint codepage = CP_ACP);
string CharArrayToString(const MqlArray<uchar> &bytes, int start = 0, int count = WHOLE_ARRAY, uint codepage = CP_ACP);
int StringSplit(const string text, const ushort separator, MqlArray<string> &out);

double MathRound(double number);
int MathRand();
void MathSrand(int seed);
template <class A, class B> std::common_type_t<A, B> MathMin(A first, B second)
{
  return static_cast<std::common_type_t<A, B>>(first < second ? first : second);
}
template <class A, class B> std::common_type_t<A, B> MathMax(A first, B second)
{
  return static_cast<std::common_type_t<A, B>>(first > second ? first : second);
}

namespace terminal
{
// An argument of StringFormat. A terminal reads what the format says, whatever was passed: here a mismatch is an error.
struct Argument
{
  enum Kind { INT32, INT64, REAL, TEXT } kind;
  long number = 0;
  double real = 0;
  std::string text;

  Argument(const string &value) : kind(TEXT), text(value.utf8()) {}
  Argument(const char *value) : kind(TEXT), text(value) {}
  Argument(double value) : kind(REAL), real(value) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>>>
  Argument(T value) : kind(sizeof(T) > 4 ? INT64 : INT32), number(static_cast<long>(value))
  {
  }
};
std::string formatted(const std::string &format, const std::vector<Argument> &arguments);
void print(const std::string &channel, const std::string &text);
void show(const std::string &text);
} // namespace terminal

template <class... A> string StringFormat(string format, const A &...arguments)
{
  return string(terminal::formatted(format.utf8(), {terminal::Argument(arguments)...}));
}
template <class... A> void PrintFormat(string format, const A &...arguments)
{
  terminal::print("ea", terminal::formatted(format.utf8(), {terminal::Argument(arguments)...}));
}
inline void Print(string text) { terminal::print("ea", text.utf8()); }
inline void Alert(string text) { terminal::print("alert", text.utf8()); }
inline void Comment(string text) { terminal::show(text.utf8()); }
