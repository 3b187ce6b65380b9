//+------------------------------------------------------------------+
//| Text.mqh - bytes, hexadecimal, decimals                            |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_TEXT
#define FAIRSTRIKE_TEXT

// Put the UTF-8 bytes of a text into out and return their number.
// StringToCharArray appends a zero, which is not part of the text.
int Utf8Bytes(const string text, uchar &out[])
  {
   ArrayResize(out, 0);
   if(StringLen(text) == 0)
      return 0;
   int copied = StringToCharArray(text, out, 0, WHOLE_ARRAY, CP_UTF8);
   if(copied > 0 && out[copied - 1] == 0)
      copied--;
   ArrayResize(out, copied);
   return copied;
  }

// Append the first count bytes of more to a dynamic array.
void BytesAppend(uchar &bytes[], const uchar &more[], const int count)
  {
   if(count > 0)
      ArrayCopy(bytes, more, ArraySize(bytes), 0, count);
  }

// Remove count bytes from the front.
void BytesConsume(uchar &bytes[], const int count)
  {
   int left = ArraySize(bytes) - count;
   for(int i = 0; i < left; i++)
      bytes[i] = bytes[i + count];
   ArrayResize(bytes, left);
  }

// Lower-case hexadecimal of count bytes.
string HexOf(const uchar &bytes[], const int count)
  {
   string text = "";
   for(int i = 0; i < count; i++)
      text += StringFormat("%02x", bytes[i]);
   return text;
  }

// A part of a text. StringSubstr is not asked for a length of 0: builds differ in what they take it for.
string TextPart(const string text, const int start, const int length)
  {
   return length > 0 ? StringSubstr(text, start, length) : "";
  }

// Whether a text is a decimal number such as 25 or 0.50: 1 to 12 digits, then perhaps a point and 1 to 12 digits.
bool IsDecimal(const string text)
  {
   int length = StringLen(text), point = -1;
   for(int i = 0; i < length; i++)
     {
      ushort letter = StringGetCharacter(text, i);
      if(letter == '.' && point < 0)
         point = i;
      else
         if(letter < '0' || letter > '9')
            return false;
     }
   int whole = point < 0 ? length : point, after = point < 0 ? 1 : length - point - 1;
   return whole >= 1 && whole <= 12 && after >= 1 && after <= 12;
  }

// Whether a text is a name that goes on the wire and into file names: 1 to longest of A-Z a-z 0-9 . _ : -
bool IsName(const string text, const int longest)
  {
   int length = StringLen(text);
   if(length == 0 || length > longest)
      return false;
   for(int i = 0; i < length; i++)
     {
      ushort letter = StringGetCharacter(text, i);
      bool small = letter >= 'a' && letter <= 'z', capital = letter >= 'A' && letter <= 'Z';
      bool known = small || capital || (letter >= '0' && letter <= '9');
      if(!known && letter != '.' && letter != '_' && letter != ':' && letter != '-')
         return false;
     }
   return true;
  }

// Decimal text of a price with the digits of its symbol.
string PriceText(const string symbol, const double price)
  {
   return DoubleToString(price, (int)SymbolInfoInteger(symbol, SYMBOL_DIGITS));
  }

#endif
