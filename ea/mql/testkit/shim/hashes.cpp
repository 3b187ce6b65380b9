// CryptEncode for what the experts use: SHA-256 and SHA-1 (FIPS 180-4), Base64 (RFC 4648).
#include "terminal.hpp"

namespace
{
typedef std::vector<uchar> Bytes;

uint rotated_right(uint word, int by) { return word >> by | word << (32 - by); }
uint rotated_left(uint word, int by) { return word << by | word >> (32 - by); }

Bytes padded(Bytes data)
{
  ulong bits = data.size() * 8;
  data.push_back(0x80);
  while (data.size() % 64 != 56)
    data.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8)
    data.push_back(static_cast<uchar>(bits >> shift));
  return data;
}

uint word_at(const Bytes &data, size_t at)
{
  return static_cast<uint>(data[at]) << 24 | static_cast<uint>(data[at + 1]) << 16 | static_cast<uint>(data[at + 2]) << 8 |
         static_cast<uint>(data[at + 3]);
}

Bytes unpacked(const uint *words, int count)
{
  Bytes out;
  for (int i = 0; i < count; i++)
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<uchar>(words[i] >> shift));
  return out;
}

// The first 32 bits of the fractions of cube roots of the first 64 primes.
const uint *sha256_constants()
{
  static uint constants[64];
  int count = constants[0] ? 64 : 0;
  for (int number = 2; count < 64; number++)
  {
    bool prime = true;
    for (int divisor = 2; divisor * divisor <= number; divisor++)
      prime = prime && number % divisor != 0;
    long double root = cbrtl(number);
    if (prime)
      constants[count++] = static_cast<uint>((root - floorl(root)) * 4294967296.0L);
  }
  return constants;
}

Bytes sha256(const Bytes &message)
{
  uint state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint *constants = sha256_constants();
  Bytes data = padded(message);
  for (size_t block = 0; block < data.size(); block += 64)
  {
    uint w[64], v[8];
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < 16; i++)
      w[i] = word_at(data, block + 4 * i);
    for (int i = 16; i < 64; i++)
    {
      uint small0 = rotated_right(w[i - 15], 7) ^ rotated_right(w[i - 15], 18) ^ w[i - 15] >> 3;
      uint small1 = rotated_right(w[i - 2], 17) ^ rotated_right(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + small0 + w[i - 7] + small1;
    }
    for (int i = 0; i < 64; i++)
    {
      uint big1 = rotated_right(v[4], 6) ^ rotated_right(v[4], 11) ^ rotated_right(v[4], 25);
      uint big0 = rotated_right(v[0], 2) ^ rotated_right(v[0], 13) ^ rotated_right(v[0], 22);
      uint first = v[7] + big1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + constants[i] + w[i];
      uint second = big0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
      memmove(v + 1, v, 7 * sizeof(uint));
      v[4] += first;
      v[0] = first + second;
    }
    for (int i = 0; i < 8; i++)
      state[i] += v[i];
  }
  return unpacked(state, 8);
}

Bytes sha1(const Bytes &message)
{
  uint state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  Bytes data = padded(message);
  for (size_t block = 0; block < data.size(); block += 64)
  {
    uint w[80], v[5];
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < 16; i++)
      w[i] = word_at(data, block + 4 * i);
    for (int i = 16; i < 80; i++)
      w[i] = rotated_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++)
    {
      uint choice = i < 20 ? (v[1] & v[2]) | (~v[1] & v[3]) : i < 40 || i >= 60 ? v[1] ^ v[2] ^ v[3]
                                                            : (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
      uint constant = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
      uint next = rotated_left(v[0], 5) + choice + v[4] + constant + w[i];
      memmove(v + 1, v, 4 * sizeof(uint));
      v[0] = next;
      v[2] = rotated_left(v[2], 30);
    }
    for (int i = 0; i < 5; i++)
      state[i] += v[i];
  }
  return unpacked(state, 5);
}

Bytes base64(const Bytes &data)
{
  const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes out;
  for (size_t at = 0; at < data.size(); at += 3)
  {
    uint group = 0;
    for (size_t k = 0; k < 3; k++)
      group = group << 8 | (at + k < data.size() ? data[at + k] : 0u);
    for (size_t k = 0; k < 4; k++)
      out.push_back(static_cast<uchar>(at + k > data.size() ? '=' : letters[group >> (18 - 6 * k) & 63]));
  }
  return out;
}
} // namespace

int CryptEncode(ENUM_CRYPT_METHOD method, const MqlArray<uchar> &data, const MqlArray<uchar> &, MqlArray<uchar> &result)
{
  Bytes out;
  if (method == CRYPT_HASH_SHA256)
    out = sha256(data.items);
  else if (method == CRYPT_HASH_SHA1)
    out = sha1(data.items);
  else if (method == CRYPT_BASE64)
    out = base64(data.items);
  result.items = out;
  return static_cast<int>(out.size());
}
