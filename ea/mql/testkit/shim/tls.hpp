// TLS over a connected descriptor.
#pragma once
#include <string>

namespace tls
{
// Make a connection secure; the certificate must be of an authority in the file TERMINAL_CA, and name the host.
bool shake_hands(int descriptor, const std::string &host);
// Send everything, or return -1.
int send(int descriptor, const unsigned char *bytes, int count);
// Read what has come; 0 where there is nothing, -1 where the connection is over.
int read_available(int descriptor, unsigned char *bytes, int count);
// Drop what is known of a descriptor.
void forget(int descriptor);
} // namespace tls
