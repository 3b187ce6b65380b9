//+------------------------------------------------------------------+
//| Pairing.mqh - a pairing code becomes the key of this install       |
//| The secret goes from the server into Files\Fairstrike and nowhere  |
//| else. MetaTrader 5 and 4; ASCII source.                            |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_PAIRING
#define FAIRSTRIKE_PAIRING

#include "Install.mqh"
#include "Http.mqh"

#define PAIRING_PATH "/ea/v1/pair"

// Ask for the key that a code stands for. Returns what is wrong, or an empty text; then kid and secret are filled.
string PairingAsk(const string code, string &kid, string &secret)
  {
   string reply = "", body = "{\"code\":" + JsonText(code);
   body += JsonMember("account", IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)));
   body += JsonMember("server", AccountInfoString(ACCOUNT_SERVER)) + "}";
   int status = HttpRequest("POST", PAIRING_PATH, body, reply);
   if(status < 0)
      return "pairing: " + g_link_text;
   if(status != 200)
      return "pairing refused: " + JsonGet(reply, "code") + " " + JsonGet(reply, "title");
   kid = JsonGet(reply, "kid");
   secret = JsonGet(reply, "secret");
   if(!IsName(kid, 32) || !IsName(secret, 128))
      return "pairing: the answer holds no key";
   return "";
  }

// Redeem a pairing code and keep the key. The file is opened first: a code whose key could not be kept stays unused.
// Returns what is wrong, or an empty text.
string PairingRedeem(const string name, const string code)
  {
   string kid = "", secret = "", file_name = InstallFile(name, ".key");
   if(!IsName(code, 40))
      return "InpPairingCode is a code as it was shown, such as ABCD-2345-EFGH";
   int file = FileOpen(file_name, FILE_WRITE | FILE_BIN);
   if(file == INVALID_HANDLE)
      return "the key cannot be kept: the disk is full, or another program has the file";
   string problem = PairingAsk(code, kid, secret);
   bool whole = true;
   if(problem == "")
     {
      uchar bytes[];
      int count = Utf8Bytes(kid + " " + secret + "\n", bytes);
      whole = (int)FileWriteArray(file, bytes, 0, count) == count;
      FileFlush(file);
     }
   FileClose(file);
   if(problem != "")
     {
      FileDelete(file_name);
      return problem;
     }
   if(!whole)
      return "the key was not kept whole, the disk is full: revoke it and make a new code";
   PrintFormat("paired as %s; the pairing code is used up, take it out of the inputs", kid);
   return "";
  }

// Read the key, or get one by the pairing code where there is none yet. files is what the user knows the folder by.
// Returns what is wrong, or an empty text.
string KeyEnsure(const string name, const string code, const string files)
  {
   if(KeyLoad(name))
      return "";
   if(code == "")
      return "no key: set InpPairingCode, or put \"<key id> <secret>\" into " + files + "\\"
             + InstallFile(name, ".key");
   string problem = PairingRedeem(name, code);
   if(problem == "" && !KeyLoad(name))
      problem = "the key cannot be read back";
   return problem;
  }

#endif
