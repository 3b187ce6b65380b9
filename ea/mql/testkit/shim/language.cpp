// Strings and formatting as a terminal does them.
#include "language.hpp"

#include <unistd.h>

namespace terminal
{
void critical(const char *what, long first, long second)
{
  fprintf(stderr, "critical error: %s (%ld of %ld)\n", what, first, second);
  abort();
}

std::u16string wide(const std::string &text)
{
  std::u16string out;
  for (size_t at = 0; at < text.size();)
  {
    uint first = static_cast<uchar>(text[at]);
    uint size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint code = size == 1 ? first : first & (0x7Fu >> size);
    for (uint k = 1; k < size && at + k < text.size(); k++)
      code = code << 6 | (static_cast<uchar>(text[at + k]) & 0x3Fu);
    at += size;
    if (code >= 0x10000)
    {
      out += static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10));
      out += static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF));
    }
    else
      out += static_cast<char16_t>(code);
  }
  return out;
}

static void append_utf8(std::string &out, uint code)
{
  if (code < 0x80)
  {
    out += static_cast<char>(code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | code >> (6 * more));
  while (more-- > 0)
    out += static_cast<char>(0x80 | (code >> (6 * more) & 0x3F));
}

std::string narrow(const std::u16string &text)
{
  std::string out;
  for (size_t at = 0; at < text.size(); at++)
  {
    uint code = text[at];
    if (code >= 0xD800 && code < 0xDC00 && at + 1 < text.size())
      code = 0x10000 + ((code & 0x3FF) << 10) + (text[++at] & 0x3FFu);
    append_utf8(out, code);
  }
  return out;
}

// Format one conversion, such as %-5I64d, with the argument that it must have.
static std::string converted(std::string flags, bool wide_number, char letter, const Argument &argument)
{
  char buffer[512];
  Argument::Kind needed = letter == 's' ? Argument::TEXT
                          : strchr("diuxXc", letter) ? (wide_number ? Argument::INT64 : Argument::INT32)
                                                     : Argument::REAL;
  if (argument.kind != needed)
    critical("the format does not fit its argument", letter, argument.kind);
  if (letter == 's')
    return argument.text;
  flags += needed == Argument::REAL ? "" : needed == Argument::INT64 ? "l" : "";
  flags += letter;
  if (needed == Argument::REAL)
    snprintf(buffer, sizeof buffer, flags.c_str(), argument.real);
  else if (needed == Argument::INT64)
    snprintf(buffer, sizeof buffer, flags.c_str(), argument.number);
  else
    snprintf(buffer, sizeof buffer, flags.c_str(), static_cast<int>(argument.number));
  return buffer;
}

std::string formatted(const std::string &format, const std::vector<Argument> &arguments)
{
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < format.size(); at++)
  {
    if (format[at] != '%')
    {
      out += format[at];
      continue;
    }
    if (at + 1 < format.size() && format[at + 1] == '%')
    {
      out += format[++at];
      continue;
    }
    std::string flags = "%";
    while (++at < format.size() && strchr("+-0123456789.# ", format[at]))
      flags += format[at];
    bool wide_number = format.compare(at, 3, "I64") == 0;
    at += wide_number ? 3 : 0;
    if (at >= format.size() || used >= arguments.size())
      critical("the format has more conversions than arguments", static_cast<long>(used));
    out += converted(flags, wide_number, format[at], arguments[used++]);
  }
  if (used != arguments.size())
    critical("the format has fewer conversions than arguments", static_cast<long>(used));
  return out;
}

void print(const std::string &channel, const std::string &text)
{
  printf("[%s] %s\n", channel.c_str(), text.c_str());
  fflush(stdout);
}
} // namespace terminal

int StringLen(string text) { return static_cast<int>(text.text.size()); }

int StringFind(string text, string wanted, int start)
{
  size_t at = text.text.find(wanted.text, static_cast<size_t>(start < 0 ? 0 : start));
  return at == std::u16string::npos ? -1 : static_cast<int>(at);
}

string StringSubstr(string text, int start, int length)
{
  if (length == 0)
    terminal::critical("StringSubstr with a length of 0: builds differ", start);
  if (start < 0 || start >= StringLen(text))
    return "";
  return string(text.text.substr(static_cast<size_t>(start), length < 0 ? std::u16string::npos : static_cast<size_t>(length)));
}

ushort StringGetCharacter(string text, int place)
{
  return place >= 0 && place < StringLen(text) ? text.text[static_cast<size_t>(place)] : static_cast<ushort>(0);
}

string ShortToString(ushort letter) { return string(std::u16string(1, static_cast<char16_t>(letter))); }
long StringToInteger(string text) { return atoll(text.utf8().c_str()); }
double StringToDouble(string text) { return atof(text.utf8().c_str()); }

string IntegerToString(long number, int width, ushort fill)
{
  std::string digits = std::to_string(number);
  while (static_cast<int>(digits.size()) < width)
    digits.insert(0, 1, static_cast<char>(fill));
  return digits;
}

string DoubleToString(double number, int digits)
{
  char buffer[64];
  snprintf(buffer, sizeof buffer, "%.*f", digits, number);
  return string(buffer);
}

// Without a count the terminating zero is copied as well, as a terminal does.
int StringToCharArray(string text, MqlArray<uchar> &out, int start, int count, uint)
{
  std::string bytes = text.utf8();
  int size = static_cast<int>(bytes.size()) + 1;
  if (count >= 0 && count < size)
    size = count;
  if (ArraySize(out) < start + size && ArrayResize(out, start + size) < 0)
    size = ArraySize(out) - start;
  for (int i = 0; i < size; i++)
    out[start + i] = static_cast<uchar>(i + 1 == static_cast<int>(bytes.size()) + 1 ? 0 : bytes[static_cast<size_t>(i)]);
  return size;
}

// Ends at a zero, as a terminal does.
string CharArrayToString(const MqlArray<uchar> &bytes, int start, int count, uint)
{
  std::string out;
  int size = ArraySize(bytes);
  for (int i = start; i < size && (count < 0 || i < start + count) && bytes[i] != 0; i++)
    out += static_cast<char>(bytes[i]);
  return string(out);
}

int StringSplit(const string text, const ushort separator, MqlArray<string> &out)
{
  std::vector<std::u16string> parts;
  size_t begin = 0;
  while (!text.text.empty())
  {
    size_t at = text.text.find(static_cast<char16_t>(separator), begin);
    parts.push_back(text.text.substr(begin, at == std::u16string::npos ? at : at - begin));
    if (at == std::u16string::npos)
      break;
    begin = at + 1;
  }
  ArrayResize(out, static_cast<int>(parts.size()));
  for (size_t i = 0; i < parts.size(); i++)
    out[static_cast<long>(i)] = string(parts[i]);
  return static_cast<int>(parts.size());
}

double MathRound(double number) { return round(number); }
int MathRand() { return rand() & 32767; }
void MathSrand(int seed) { srand(static_cast<uint>(seed) ^ static_cast<uint>(getpid())); }
