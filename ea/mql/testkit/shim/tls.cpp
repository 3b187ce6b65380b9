// TLS by OpenSSL where its headers are there; without them every handshake fails, and the tests of TLS are left out.
#include "tls.hpp"

#if __has_include(<openssl/ssl.h>)
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

namespace
{
const int HANDSHAKE_MS = 3000;
std::map<int, SSL *> sessions;

SSL_CTX *context()
{
  static SSL_CTX *made = nullptr;
  const char *authorities = getenv("TERMINAL_CA");
  if (made == nullptr)
  {
    made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(made, SSL_MODE_AUTO_RETRY);
    if (authorities != nullptr)
      SSL_CTX_load_verify_locations(made, authorities, nullptr);
  }
  return made;
}

// The handshake is made without waiting for ever: a server that says nothing is given up.
bool connected(SSL *session, int descriptor)
{
  for (int tries = 0; tries < 20; tries++)
  {
    int result = SSL_connect(session), reason = SSL_get_error(session, result);
    if (result == 1)
      return true;
    pollfd waiting{descriptor, static_cast<short>(reason == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN), 0};
    if ((reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) || poll(&waiting, 1, HANDSHAKE_MS) != 1)
      return false;
  }
  return false;
}
} // namespace

bool tls::shake_hands(int descriptor, const std::string &host)
{
  SSL *session = SSL_new(context());
  X509_VERIFY_PARAM *wanted = SSL_get0_param(session);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1)
    X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), 0);
  SSL_set_fd(session, descriptor);
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  bool made = connected(session, descriptor);
  fcntl(descriptor, F_SETFL, 0);
  if (made)
    sessions[descriptor] = session;
  else
    SSL_free(session);
  return made;
}

int tls::send(int descriptor, const unsigned char *bytes, int count)
{
  return sessions.count(descriptor) ? SSL_write(sessions[descriptor], bytes, count) : -1;
}

int tls::read_available(int descriptor, unsigned char *bytes, int count)
{
  if (!sessions.count(descriptor))
    return -1;
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  int got = SSL_read(sessions[descriptor], bytes, count);
  int reason = SSL_get_error(sessions[descriptor], got);
  fcntl(descriptor, F_SETFL, 0);
  if (got > 0)
    return got;
  return reason == SSL_ERROR_WANT_READ ? 0 : -1;
}

void tls::forget(int descriptor)
{
  if (sessions.count(descriptor))
    SSL_free(sessions[descriptor]);
  sessions.erase(descriptor);
}
#else
bool tls::shake_hands(int, const std::string &) { return false; }
int tls::send(int, const unsigned char *, int) { return -1; }
int tls::read_available(int, unsigned char *, int) { return -1; }
void tls::forget(int) {}
#endif
