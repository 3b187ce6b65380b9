"""Deposits, callbacks, withdrawals, promo codes, referrals and FX rates; nothing is built here yet."""
