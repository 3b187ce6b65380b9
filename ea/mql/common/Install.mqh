//+------------------------------------------------------------------+
//| Install.mqh - who we are: key, secret, name of this install        |
//| All of it lies in Files\Fairstrike, never in an input.             |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_INSTALL
#define FAIRSTRIKE_INSTALL

#include "Text.mqh"
#include "Id.mqh"

string g_kid = "";
string g_secret = "";
string g_sid = "";

string InstallFile(const string name, const string ending)
  {
   return "Fairstrike\\" + name + ending;
  }

// The words of a small text file, whatever separates them: a byte order mark, blanks, ends of lines.
int FileWords(const string file_name, string &words[])
  {
   ArrayResize(words, 0);
   if(!FileIsExist(file_name))
      return 0;
   int file = FileOpen(file_name, FILE_READ | FILE_BIN);
   if(file == INVALID_HANDLE)
      return 0;
   uchar bytes[];
   int count = 0, size = (int)FileReadArray(file, bytes, 0, (int)MathMin((long)FileSize(file), (long)4096));
   FileClose(file);
   bool inside = false;
   for(int i = 0; i < size; i++)
     {
      bool visible = bytes[i] > 32 && bytes[i] < 127;
      if(visible && !inside)
        {
         count++;
         ArrayResize(words, count);
         words[count - 1] = "";
        }
      if(visible)
         words[count - 1] += ShortToString(bytes[i]);
      inside = visible;
     }
   return count;
  }

// Read "<key id> <secret>" from Files\Fairstrike\<name>.key.
bool KeyLoad(const string name)
  {
   string words[];
   if(FileWords(InstallFile(name, ".key"), words) < 2 || !IsName(words[0], 32))
      return false;
   g_kid = words[0];
   g_secret = words[1];
   return true;
  }

// Read the name of this install, or draw one and keep it.
bool SidLoad(const string name)
  {
   string words[], file_name = InstallFile(name, ".sid");
   if(FileWords(file_name, words) >= 1 && IsName(words[0], 40))
     {
      g_sid = words[0];
      return true;
     }
   g_sid = TextPart(Entropy(name), 0, 32);
   uchar bytes[];
   int count = Utf8Bytes(g_sid + "\n", bytes), file = FileOpen(file_name, FILE_WRITE | FILE_BIN);
   if(file == INVALID_HANDLE)
      return false;
   bool whole = (int)FileWriteArray(file, bytes, 0, count) == count;
   FileFlush(file);
   FileClose(file);
   return whole;
  }

#endif
