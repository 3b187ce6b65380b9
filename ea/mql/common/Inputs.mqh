//+------------------------------------------------------------------+
//| Inputs.mqh - inputs that all of our experts share                  |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_INPUTS
#define FAIRSTRIKE_INPUTS

enum STAKE_MODE
  {
   STAKE_FIXED = 0,    // an amount of money
   STAKE_PERCENT = 1   // percent of the balance
  };

input string     InpName       = "signal";  // Name of this install: key, spool and id lie in Files\Fairstrike
input string     InpPairingCode = "";       // Pairing code, once; the key it becomes lies in Files\\Fairstrike
input string     InpStrategy   = "";        // Strategy the signals belong to; empty = none
input STAKE_MODE InpStakeMode  = STAKE_FIXED; // Stake is an amount or a percentage
input string     InpStake      = "1.00";    // Stake of one signal, decimal
input string     InpCurrency   = "";        // Currency of the stake, such as USD; empty = that of the ledger
input int        InpExpiryS    = 60;        // Time to expiry, s (5..86400)
input int        InpValidMs    = 0;     // Signal is good for, ms (200..60000); 0 = a tenth of the expiry, 5000 at most
input string     InpMinPayout  = "";        // Least payout to accept, percent; empty = any
input string     InpMaxDrift   = "";        // Most the price may have moved; empty = any
input string     InpLedger     = "";        // Ledger: demo, real or tournament; empty = what the key says
input string     InpTournament = "";        // Id of the tournament, with the ledger tournament

#endif
