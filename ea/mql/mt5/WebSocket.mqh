//+------------------------------------------------------------------+
//| WebSocket.mqh - the client's side of RFC 6455 over Wire.mqh        |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_WEBSOCKET
#define FAIRSTRIKE_WEBSOCKET

#include "Wire.mqh"

#define WS_LONGEST       65536
#define WS_HEAD_LONGEST  8192
#define WS_CONTINUATION  0
#define WS_TEXT          1
#define WS_CLOSE         8
#define WS_PING          9
#define WS_PONG          10

string g_ws_key = "";
uchar  g_ws_message[];              // parts of a message that is not whole yet
bool   g_ws_partial = false;

string Base64Of(const uchar &bytes[])
  {
   uchar no_key[], text[];
   int count = CryptEncode(CRYPT_BASE64, bytes, no_key, text);
   return count > 0 ? CharArrayToString(text, 0, count, CP_ACP) : "";
  }

// What the server must answer to our key.
string WsAccept(const string key)
  {
   uchar data[], no_key[], hash[];
   Utf8Bytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", data);
   if(CryptEncode(CRYPT_HASH_SHA1, data, no_key, hash) != 20)
      return "";
   return Base64Of(hash);
  }

// Ask for the upgrade.
bool WsAsk(const string host, const int port, const string path)
  {
   uchar nonce[], bytes[];
   ArrayResize(nonce, 16);
   for(int i = 0; i < 16; i++)
      nonce[i] = (uchar)(MathRand() & 255);
   g_ws_key = Base64Of(nonce);
   g_ws_partial = false;
   string request = "GET " + path + " HTTP/1.1\r\nHost: " + host + ":" + IntegerToString(port) + "\r\n";
   request += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
   request += "Sec-WebSocket-Key: " + g_ws_key + "\r\n\r\n";
   int count = Utf8Bytes(request, bytes);
   return WireSend(bytes, count);
  }

// Look for the answer: 1 = open, 0 = not whole yet, -1 = refused.
int WsAnswer()
  {
   int size = ArraySize(g_wire_rx);
   string head = size > 0 ? CharArrayToString(g_wire_rx, 0, (int)MathMin(size, WS_HEAD_LONGEST), CP_ACP) : "";
   int head_end = StringFind(head, "\r\n\r\n");
   if(head_end < 0)
      return size < WS_HEAD_LONGEST ? 0 : -1;
   BytesConsume(g_wire_rx, head_end + 4);
   head = TextPart(head, 0, head_end) + "\r\n";
   if(StringFind(head, "HTTP/1.1 101") != 0)
      return -1;
   string lower = head, name = "\r\nsec-websocket-accept:";
   StringToLower(lower);
   int at = StringFind(lower, name);
   if(at < 0)
      return -1;
   at += StringLen(name);
   while(StringGetCharacter(head, at) == ' ')
      at++;
   string accept = TextPart(head, at, StringFind(head, "\r\n", at) - at);
   return accept == WsAccept(g_ws_key) ? 1 : -1;
  }

// Send one frame, masked as a client must.
bool WsSend(const int opcode, const uchar &payload[], const int count)
  {
   uchar bytes[], mask[];
   int head = count < 126 ? 2 : 4;
   ArrayResize(mask, 4);
   ArrayResize(bytes, head + 4 + count);
   bytes[0] = (uchar)(0x80 | opcode);
   bytes[1] = (uchar)(0x80 | (count < 126 ? count : 126));
   if(head == 4)
     {
      bytes[2] = (uchar)(count >> 8);
      bytes[3] = (uchar)(count & 255);
     }
   for(int i = 0; i < 4; i++)
     {
      mask[i] = (uchar)(MathRand() & 255);
      bytes[head + i] = mask[i];
     }
   for(int k = 0; k < count; k++)
      bytes[head + 4 + k] = (uchar)(payload[k] ^ mask[k % 4]);
   return WireSend(bytes, head + 4 + count);
  }

// Lengths of the head and the payload of the frame in front; count is -1 where it is not allowed. False where the head
// is not whole yet.
bool WsHead(int &head, int &count)
  {
   int size = ArraySize(g_wire_rx);
   if(size < 2)
      return false;
   int first = g_wire_rx[0], small = g_wire_rx[1];
   head = 2;
   count = small;
   if(small > 126 || (first & 0x70) != 0)
     {
      count = -1;                   // masked, or with 64 bits of length, or with an extension we did not ask for
      // 65,536 letters, the longest payload there is, need the long form.
      if(small != 127 || (first & 0x70) != 0)
         return true;
      if(size < 10)
         return false;
      head = 10;
      count = (g_wire_rx[7] << 16) | (g_wire_rx[8] << 8) | g_wire_rx[9];
      for(int i = 2; i < 7; i++)
         if(g_wire_rx[i] != 0)
            count = -1;
     }
   if(small == 126)
     {
      if(size < 4)
         return false;
      head = 4;
      count = (g_wire_rx[2] << 8) | g_wire_rx[3];
     }
   if(count > WS_LONGEST)
      count = -1;
   return true;
  }

// Take the next whole message: 1 = text has it, 0 = none yet, -1 = the link must be closed.
int WsNext(string &text)
  {
   int head = 0, count = 0;
   while(WsHead(head, count))
     {
      if(count < 0)
         return -1;
      if(ArraySize(g_wire_rx) < head + count)
         return 0;
      uchar payload[];
      int opcode = g_wire_rx[0] & 15;
      bool last = (g_wire_rx[0] & 0x80) != 0;
      ArrayResize(payload, count);
      for(int i = 0; i < count; i++)
         payload[i] = g_wire_rx[head + i];
      BytesConsume(g_wire_rx, head + count);
      if(opcode == WS_CLOSE)
         return -1;
      if(opcode == WS_PING)
        {
         if(count > 125 || !WsSend(WS_PONG, payload, count))
            return -1;
         continue;
        }
      if(opcode == WS_PONG)
         continue;
      if(opcode != (g_ws_partial ? WS_CONTINUATION : WS_TEXT))
         return -1;
      if(!g_ws_partial)
         ArrayResize(g_ws_message, 0);
      g_ws_partial = !last;
      BytesAppend(g_ws_message, payload, count);
      int whole = ArraySize(g_ws_message);
      if(whole > WS_LONGEST)
         return -1;
      if(!last)
         continue;
      text = whole > 0 ? CharArrayToString(g_ws_message, 0, whole, CP_UTF8) : "";
      return 1;
     }
   return 0;
  }

#endif
