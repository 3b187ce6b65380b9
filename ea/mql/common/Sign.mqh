//+------------------------------------------------------------------+
//| Sign.mqh - HMAC-SHA256 (RFC 2104) and the last member of a frame   |
//| CryptEncode knows SHA-256 but no HMAC, so the key is padded here.  |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_SIGN
#define FAIRSTRIKE_SIGN

#include "Text.mqh"

#define SHA256_BLOCK 64
#define SHA256_SIZE  32

// SHA-256 of a number of bytes; hash gets 32 bytes. False where the terminal refuses.
bool Sha256(const uchar &data[], uchar &hash[])
  {
   uchar no_key[];
   return CryptEncode(CRYPT_HASH_SHA256, data, no_key, hash) == SHA256_SIZE;
  }

// Hexadecimal SHA-256 of a text.
string Sha256Hex(const string text)
  {
   uchar data[], hash[];
   Utf8Bytes(text, data);
   if(!Sha256(data, hash))
      return "";
   return HexOf(hash, SHA256_SIZE);
  }

// Hash one padded key block (mask) followed by count bytes of data.
bool HmacPass(const uchar &key[], const uchar mask, const uchar &data[], const int count, uchar &hash[])
  {
   uchar block[];
   ArrayResize(block, SHA256_BLOCK + count);
   for(int i = 0; i < SHA256_BLOCK; i++)
      block[i] = (uchar)(key[i] ^ mask);
   for(int k = 0; k < count; k++)
      block[SHA256_BLOCK + k] = data[k];
   return Sha256(block, hash);
  }

// Hexadecimal HMAC-SHA256 of the UTF-8 bytes of a text; empty where the terminal refuses.
string HmacSha256(const string secret, const string text)
  {
   uchar key[], data[], inner[], outer[];
   int size = Utf8Bytes(secret, key);
   if(size > SHA256_BLOCK)
     {
      uchar shorter[];
      if(!Sha256(key, shorter))
         return "";
      ArrayResize(key, SHA256_SIZE);
      ArrayCopy(key, shorter, 0, 0, SHA256_SIZE);
      size = SHA256_SIZE;
     }
   ArrayResize(key, SHA256_BLOCK);
   for(int i = size; i < SHA256_BLOCK; i++)
      key[i] = 0;
   int count = Utf8Bytes(text, data);
   if(!HmacPass(key, 0x36, data, count, inner) || !HmacPass(key, 0x5c, inner, SHA256_SIZE, outer))
      return "";
   return HexOf(outer, SHA256_SIZE);
  }

// Close a frame: body is a JSON object without its last brace. The signature covers every byte of body.
string SignFrame(const string secret, const string body)
  {
   return body + ",\"sig\":\"" + HmacSha256(secret, body) + "\"}";
  }

#endif
