//+------------------------------------------------------------------+
//| Wire.mqh - bytes over a socket of MetaTrader 5, plain or TLS       |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_WIRE
#define FAIRSTRIKE_WIRE

#include "../common/Text.mqh"

#define WIRE_CONNECT_MS 1000
#define WIRE_CHUNK      16384
#define WIRE_ROUNDS     16

#define ERROR_NOT_ALLOWED 4014
#define ERROR_SOCKET_GONE 5273

int    g_wire = INVALID_HANDLE;
bool   g_wire_tls = false;
uchar  g_wire_rx[];                 // bytes that came and are not used yet

void WireClose()
  {
   if(g_wire != INVALID_HANDLE)
      SocketClose(g_wire);
   g_wire = INVALID_HANDLE;
   ArrayResize(g_wire_rx, 0);
  }

// Say why a connection was not made.
string WireProblem(const string host, const int error)
  {
   if(error == ERROR_NOT_ALLOWED)
      return "not allowed: add " + host + " under Tools > Options > Expert Advisors > Allow WebRequest";
   return "cannot connect (error " + IntegerToString(error) + ")";
  }

// Connect. Returns an empty text, or what went wrong.
string WireOpen(const string host, const int port, const bool tls)
  {
   ResetLastError();
   g_wire = SocketCreate();
   if(g_wire == INVALID_HANDLE)
      return "no socket (error " + IntegerToString(GetLastError()) + ")";
   if(!SocketConnect(g_wire, host, (uint)port, WIRE_CONNECT_MS))
      return WireProblem(host, GetLastError());
   g_wire_tls = tls;
   // The terminal does the handshake itself on port 443.
   if(tls && port != 443 && !SocketTlsHandshake(g_wire, host))
      return "no TLS (error " + IntegerToString(GetLastError()) + ")";
   return "";
  }

// Send count bytes; false where they did not all go out.
bool WireSend(const uchar &bytes[], const int count)
  {
   if(g_wire_tls)
      return SocketTlsSend(g_wire, bytes, (uint)count) == count;
   return SocketSend(g_wire, bytes, (uint)count) == count;
  }

// Read what is there without waiting. -1 where the link is gone.
int WireRead(uchar &chunk[])
  {
   ResetLastError();
   int got = 0;
   if(g_wire_tls)
      got = SocketTlsReadAvailable(g_wire, chunk, WIRE_CHUNK);
   else
     {
      uint there = SocketIsReadable(g_wire);
      // It says 1 for an empty buffer as well; the read then finds nothing within 1 ms and returns -1: no error.
      // A time limit of 0 would mean 120 s. More than what is there is never asked for: the read would wait for it.
      if(there > 0)
         got = SocketRead(g_wire, chunk, there, 1);
     }
   if(got > 0)
      return got;
   return GetLastError() == ERROR_SOCKET_GONE ? -1 : 0;
  }

// Collect what has come. False where the link is gone and nothing more is to be read.
bool WirePoll()
  {
   uchar chunk[];
   for(int round = 0; round < WIRE_ROUNDS; round++)
     {
      ArrayResize(chunk, 0);
      int got = WireRead(chunk);
      if(got < 0)
         return false;
      if(got == 0)
         return SocketIsConnected(g_wire);
      BytesAppend(g_wire_rx, chunk, got);
     }
   return true;
  }

#endif
