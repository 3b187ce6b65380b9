// What the driver and a terminal's own commands share.
#pragma once
#include "terminal.hpp"

#include <map>

namespace simulator
{
// The words after a command: name=value. A value with blanks is the last: text=...
struct Words
{
  std::map<std::string, std::string> values;
  std::string get(const std::string &name, const std::string &otherwise) const
  {
    auto found = values.find(name);
    return found == values.end() ? otherwise : found->second;
  }
};

// Load what the terminal remembers between runs.
void begin();
// Carry out a command that only this kind of terminal knows; false where it does not.
bool obey(const std::string &command, const Words &words);
} // namespace simulator
