// A connection with a time limit, and WebRequest over it.
#include "terminal.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace terminal
{
// Connect, or return -1.
int connected_socket(const std::string &host, int port, int timeout_ms)
{
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return -1;
  int made = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int result = connect(made, found->ai_addr, found->ai_addrlen), problem = 0;
  freeaddrinfo(found);
  if (result != 0 && errno == EINPROGRESS)
  {
    pollfd waiting{made, POLLOUT, 0};
    socklen_t size = sizeof problem;
    result = poll(&waiting, 1, timeout_ms) == 1 ? getsockopt(made, SOL_SOCKET, SO_ERROR, &problem, &size) : -1;
  }
  if (result != 0 || problem != 0)
  {
    close(made);
    return -1;
  }
  int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(made, F_SETFL, 0);
  return made;
}

// Read until the other side closes or the time is up.
static bool read_all(int from, int timeout_ms, std::string &out)
{
  long until_us = monotonic_us() + timeout_ms * 1000L;
  char chunk[4096];
  for (;;)
  {
    pollfd waiting{from, POLLIN, 0};
    long left_ms = (until_us - monotonic_us()) / 1000;
    if (left_ms <= 0 || poll(&waiting, 1, static_cast<int>(left_ms)) != 1)
      return false;
    ssize_t got = recv(from, chunk, sizeof chunk, 0);
    if (got == 0)
      return true;
    if (got < 0)
      return false;
    out.append(chunk, static_cast<size_t>(got));
  }
}

// Whether an answer has as many bytes as it says.
static bool answer_is_whole(const std::string &answer, size_t head_end)
{
  std::string head = answer.substr(0, head_end);
  for (char &letter : head)
    letter = static_cast<char>(tolower(letter));
  size_t at = head.find("content-length:");
  return at == std::string::npos || answer.size() - head_end - 4 == strtoul(head.c_str() + at + 15, nullptr, 10);
}

static int failed(int error)
{
  last_error = error;
  return -1;
}
} // namespace terminal

using namespace terminal;

// Errors: 5200 address, 5201 connection, 5202 time limit, 5203 request. The port comes from the scheme and from nothing
// else; where a test's server listens instead of 80 is told by TERMINAL_PORT_80.
int WebRequest(const string method, const string url, const string headers, int timeout, const MqlArray<char> &data,
               MqlArray<char> &result, string &result_headers)
{
  std::string address = url.utf8();
  size_t begin = address.find("://"), slash = address.find('/', begin + 3);
  if (begin == std::string::npos || slash == std::string::npos)
    return failed(5200);
  std::string scheme = address.substr(0, begin), host = address.substr(begin + 3, slash - begin - 3);
  if (host.find(':') != std::string::npos || (scheme != "http" && scheme != "https"))
    return failed(5200);
  if (!host_is_allowed(host))
    return failed(atoi(setting("TERMINAL_NOT_ALLOWED", "4014").c_str()));
  int port = scheme == "http" ? atoi(setting("TERMINAL_PORT_80", "80").c_str()) : 443;
  int made = connected_socket(host, port, timeout);
  if (made < 0)
    return failed(5201);
  std::string request = method.utf8() + " " + address.substr(slash) + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers.utf8();
  request += "Content-Length: " + std::to_string(data.items.size()) + "\r\nConnection: close\r\n\r\n";
  request.append(data.items.begin(), data.items.end());
  std::string answer;
  bool sent = send(made, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  bool whole = sent && read_all(made, timeout, answer);
  close(made);
  if (!whole)
    return failed(sent ? 5202 : 5203);
  size_t head_end = answer.find("\r\n\r\n");
  if (answer.compare(0, 5, "HTTP/") != 0 || head_end == std::string::npos || !answer_is_whole(answer, head_end))
    return failed(5203);
  result_headers = string(answer.substr(0, head_end + 2));
  result.items.assign(answer.begin() + static_cast<long>(head_end) + 4, answer.end());
  return atoi(answer.c_str() + 9);
}
