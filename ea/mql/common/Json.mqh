//+------------------------------------------------------------------+
//| Json.mqh - what the wire needs of JSON                             |
//| Writing: quoted text. Reading: members of one object, elements of  |
//| one array, both aware of strings, escapes and nesting.             |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_JSON
#define FAIRSTRIKE_JSON

// A quoted JSON string.
string JsonText(const string text)
  {
   string out = "\"";
   int length = StringLen(text);
   for(int i = 0; i < length; i++)
     {
      ushort letter = StringGetCharacter(text, i);
      if(letter == '"' || letter == '\\')
         out += "\\" + ShortToString(letter);
      else
         if(letter < 32)
            out += StringFormat("\\u%04x", letter);
         else
            out += ShortToString(letter);
     }
   return out + "\"";
  }

// "name":"text" with a comma ahead.
string JsonMember(const string name, const string text)
  {
   return ",\"" + name + "\":" + JsonText(text);
  }

// "name":number with a comma ahead.
string JsonNumber(const string name, const long number)
  {
   return ",\"" + name + "\":" + IntegerToString(number);
  }

bool JsonIsSpace(const ushort letter)
  {
   return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
  }

// Position of the first letter at or after from that is no white space.
int JsonSkipSpace(const string json, const int from)
  {
   int at = from, length = StringLen(json);
   while(at < length && JsonIsSpace(StringGetCharacter(json, at)))
      at++;
   return at;
  }

// Position after the string that starts with a quotation mark at from, or -1.
int JsonStringEnd(const string json, const int from)
  {
   int length = StringLen(json);
   for(int at = from + 1; at < length; at++)
     {
      ushort letter = StringGetCharacter(json, at);
      if(letter == '\\')
         at++;
      else
         if(letter == '"')
            return at + 1;
     }
   return -1;
  }

// Position after the value that starts at from, or -1 where none ends.
int JsonValueEnd(const string json, const int from)
  {
   int length = StringLen(json), depth = 0, at = from;
   if(at < length && StringGetCharacter(json, at) == '"')
      return JsonStringEnd(json, at);
   while(at < length)
     {
      ushort letter = StringGetCharacter(json, at);
      if(letter == '"')
        {
         at = JsonStringEnd(json, at);
         if(at < 0)
            return -1;
         continue;
        }
      if(letter == '{' || letter == '[')
         depth++;
      if(letter == '}' || letter == ']')
        {
         if(depth == 0)
            return at;
         depth--;
         if(depth == 0)
            return at + 1;
        }
      if(depth == 0 && (letter == ',' || JsonIsSpace(letter)))
         return at;
      at++;
     }
   return depth == 0 ? at : -1;
  }

// The raw text of a member of a JSON object, or an empty text where there is none. The key must be plain ASCII.
string JsonRaw(const string json, const string name)
  {
   int length = StringLen(json), at = JsonSkipSpace(json, 0);
   if(at >= length || StringGetCharacter(json, at) != '{')
      return "";
   at = JsonSkipSpace(json, at + 1);
   while(at < length && StringGetCharacter(json, at) == '"')
     {
      int key_end = JsonStringEnd(json, at);
      if(key_end < 0)
         return "";
      string key = TextPart(json, at + 1, key_end - at - 2);
      at = JsonSkipSpace(json, key_end);
      if(at >= length || StringGetCharacter(json, at) != ':')
         return "";
      at = JsonSkipSpace(json, at + 1);
      int value_end = JsonValueEnd(json, at);
      if(value_end < 0 || value_end == at)
         return "";
      if(key == name)
         return TextPart(json, at, value_end - at);
      at = JsonSkipSpace(json, value_end);
      if(at < length && StringGetCharacter(json, at) == ',')
         at = JsonSkipSpace(json, at + 1);
     }
   return "";
  }

// The value of a hexadecimal digit, or -1.
int JsonHexDigit(const ushort letter)
  {
   if(letter >= '0' && letter <= '9')
      return letter - '0';
   if(letter >= 'a' && letter <= 'f')
      return letter - 'a' + 10;
   if(letter >= 'A' && letter <= 'F')
      return letter - 'A' + 10;
   return -1;
  }

// The text of a quoted string without its quotation marks and escapes.
string JsonUnquote(const string raw)
  {
   string out = "";
   int last = StringLen(raw) - 1;
   for(int at = 1; at < last; at++)
     {
      ushort letter = StringGetCharacter(raw, at);
      if(letter != '\\')
        {
         out += ShortToString(letter);
         continue;
        }
      at++;
      letter = StringGetCharacter(raw, at);
      if(letter == 'n')
         out += "\n";
      else
         if(letter == 't')
            out += "\t";
         else
            if(letter == 'u' && at + 4 < last)
              {
               int code = 0;
               for(int k = 1; k <= 4; k++)
                  code = code * 16 + MathMax(0, JsonHexDigit(StringGetCharacter(raw, at + k)));
               out += ShortToString((ushort)code);
               at += 4;
              }
            else
               if(letter == '"' || letter == '\\' || letter == '/')
                  out += ShortToString(letter);
     }
   return out;
  }

// A member as text: strings lose their quotation marks, null and absent are empty, anything else is as written.
string JsonGet(const string json, const string name)
  {
   string raw = JsonRaw(json, name);
   if(raw == "" || raw == "null")
      return "";
   if(StringGetCharacter(raw, 0) == '"')
      return JsonUnquote(raw);
   return raw;
  }

// A member as a whole number; other where it is absent or no number.
long JsonLong(const string json, const string name, const long other)
  {
   string raw = JsonRaw(json, name);
   int length = StringLen(raw);
   if(length == 0 || length > 19)
      return other;
   for(int i = 0; i < length; i++)
     {
      ushort letter = StringGetCharacter(raw, i);
      bool digit = letter >= '0' && letter <= '9';
      if(!digit && !(i == 0 && letter == '-' && length > 1))
         return other;
     }
   return StringToInteger(raw);
  }

// Split a JSON array into the raw texts of its elements and return their number; -1 where it is no array.
int JsonElements(const string json, string &out[])
  {
   ArrayResize(out, 0);
   int length = StringLen(json), at = JsonSkipSpace(json, 0), count = 0;
   if(at >= length || StringGetCharacter(json, at) != '[')
      return -1;
   at = JsonSkipSpace(json, at + 1);
   while(at < length && StringGetCharacter(json, at) != ']')
     {
      int value_end = JsonValueEnd(json, at);
      if(value_end <= at)
         return -1;
      ArrayResize(out, count + 1, 64);
      out[count] = TextPart(json, at, value_end - at);
      count++;
      at = JsonSkipSpace(json, value_end);
      if(at < length && StringGetCharacter(json, at) == ',')
         at = JsonSkipSpace(json, at + 1);
     }
   return at < length ? count : -1;
  }

#endif
