//+------------------------------------------------------------------+
//| Clock.mqh - monotonic time, wall time in milliseconds, offset      |
//| TimeGMT has steps of one second: it is anchored at each step, and  |
//| microseconds are counted in between.                               |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_CLOCK
#define FAIRSTRIKE_CLOCK

long g_clock_anchor_ms = 0;   // wall time at the last step of the clock, ms
long g_clock_anchor_us = 0;   // monotonic time then, us
bool g_clock_stepped   = false;   // the clock was set since somebody last asked
long g_offset_ms       = 0;   // server's clock minus ours, ms
bool g_offset_known    = false;
long g_rtt_us          = 0;   // last round trip of a heartbeat, us

// Microseconds since the program started; never goes back.
long MonotonicUs()
  {
   return (long)GetMicrosecondCount();
  }

long MonotonicMs()
  {
   return MonotonicUs() / 1000;
  }

// Wall time in Unix milliseconds. It follows the computer's clock when that is set, else it never goes back.
long NowMs()
  {
   long us = MonotonicUs(), second_ms = (long)TimeGMT() * 1000;
   long counted = g_clock_anchor_ms + (us - g_clock_anchor_us) / 1000;
   bool behind = second_ms > counted, ahead = counted >= second_ms + 2000;
   if(g_clock_anchor_ms == 0 || behind || ahead)
     {
      if(g_clock_anchor_ms != 0 && (ahead || second_ms > counted + 2000))
         g_clock_stepped = true;
      g_clock_anchor_ms = second_ms;
      g_clock_anchor_us = us;
      return second_ms;
     }
   return counted;
  }

// Take a reading of the server's clock: when the question left (us, monotonic) and what the answer said (ms).
void ClockMeasured(const long sent_us, const long server_ms)
  {
   g_rtt_us = MonotonicUs() - sent_us;
   g_offset_ms = server_ms - (NowMs() - g_rtt_us / 2000);
   g_offset_known = true;
  }

#endif
