#include "bench/load.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "bench/child.h"
#include "io/wire/handshake.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"

namespace holdfast::bench {
namespace {

using wire::Op;

struct Name {
  Kind kind;
  const char* name;
};
constexpr Name kNames[] = {{Kind::kInsertOne, "insert-one"}, {Kind::kInsertMany, "insert-many"}, {Kind::kFindById, "find-by-id"},
                           {Kind::kUpdateOne, "update-one"}, {Kind::kUpsertOne, "upsert-one"}, {Kind::kDeleteOne, "delete-one"},
                           {Kind::kPing, "ping"},            {Kind::kEcho, "echo"},
                           {Kind::kInsertNumbered, "insert-numbered"}};

void append_document(Buffer& out, uint64_t n, int bytes) {
  msgpack::Writer w(out);
  size_t start = out.size();
  w.map(5).string("_id").string(bench_id(n)).string("n").integer(static_cast<int64_t>(n));
  w.string("group").integer(static_cast<int64_t>(n % 1000)).string("active").boolean(n % 3 == 0).string("text");
  size_t used = out.size() - start + 3;
  std::string text(static_cast<size_t>(bytes) > used ? static_cast<size_t>(bytes) - used : 0, ' ');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (n * 31 + i * 7 + i / 11) % 26);
  w.string(text);
}

class Requests {
 public:
  Requests(const Load& load, uint64_t stream) : load_(load), random_(stream * 0x2545f4914f6cdd1dULL + 1) {}

  /// Appends one frame; returns the number of documents that it carries.
  uint64_t next(Buffer& out, uint64_t id, uint64_t number, uint64_t session) {
    switch (load_.kind) {
      case Kind::kEcho: {
        size_t at = wire::begin_frame(out);
        out.append(static_cast<size_t>(load_.document_bytes), 'x');
        wire::end_frame(out, at);
        return 1;
      }
      case Kind::kInsertNumbered:
      case Kind::kInsertOne: {
        wire::RequestWriter::Head h = head(id, Op::kInsertOne);
        h.session = session;
        h.number = id;
        h.answered = id > static_cast<uint64_t>(load_.depth) ? id - static_cast<uint64_t>(load_.depth) : 0;
        wire::RequestWriter w(out, h);
        w.args();
        append_document(out, load_.first_id + number, load_.document_bytes);
        finish(w);
        return 1;
      }
      case Kind::kInsertMany: {
        insert_many(out, id, load_.first_id + number * static_cast<uint64_t>(load_.batch), static_cast<uint64_t>(load_.batch));
        return static_cast<uint64_t>(load_.batch);
      }
      case Kind::kFindById: {
        wire::RequestWriter w(out, head(id, Op::kFindById));
        w.args().map(1).string("id").string(bench_id(pick()));
        finish(w);
        return 1;
      }
      case Kind::kUpdateOne: {
        wire::RequestWriter w(out, head(id, Op::kUpdateOne));
        w.args().map(2).string("filter").map(1).string("_id").string(bench_id(pick()));
        w.args().string("update").map(1).string("$inc").map(1).string("n").integer(1);
        finish(w);
        return 1;
      }
      case Kind::kUpsertOne: {
        // Every other one is there.
        uint64_t n = number % 2 == 0 ? pick() : load_.first_id + number;
        wire::RequestWriter w(out, head(id, Op::kUpsertOne));
        w.args().map(2).string("filter").map(1).string("_id").string(bench_id(n));
        w.args().string("update").map(1).string("$inc").map(1).string("n").integer(1);
        finish(w);
        return 1;
      }
      case Kind::kDeleteOne: {
        wire::RequestWriter w(out, head(id, Op::kDeleteOne));
        w.args().map(1).string("filter").map(1).string("_id").string(bench_id(load_.first_id + number));
        finish(w);
        return 1;
      }
      case Kind::kPing: {
        wire::RequestWriter w(out, head(id, Op::kPing));
        w.args().map(0);
        finish(w);
        return 1;
      }
    }
    return 0;
  }

  void insert_many(Buffer& out, uint64_t id, uint64_t first, uint64_t count) {
    Buffer blob;
    std::vector<uint32_t> offsets{0};
    for (uint64_t i = 0; i < count; ++i) {
      append_document(blob, first + i, load_.document_bytes);
      offsets.push_back(static_cast<uint32_t>(blob.size()));
    }
    wire::RequestWriter w(out, head(id, Op::kInsertMany));
    msgpack::Writer args = w.args();
    args.map(2).string("blob").binary(blob).string("offsets").array(static_cast<uint32_t>(offsets.size()));
    for (uint32_t o : offsets) args.uint(o);
    finish(w);
  }

 private:
  wire::RequestWriter::Head head(uint64_t id, Op op) const { return {.id = id, .op = op, .collection = load_.collection}; }
  void finish(wire::RequestWriter& w) {
    if (Result<> done = w.end(); !done) die(done.error().text());
  }
  uint64_t pick() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_ % load_.ids;
  }
  const Load& load_;
  uint64_t random_;
};

int connect_to(const Load& load) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(load.port);
  inet_pton(AF_INET, load.host.c_str(), &at.sin_addr);
  if (connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) die(fmt::format("cannot connect to {}:{}", load.host, load.port));
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

struct Worker {
  Figures figures;
  std::vector<float> latencies_us;
};

/// One connection of a worker: requests under way, and bytes of replies that are not whole yet.
struct Connection {
  int fd = -1;
  wire::FrameReader reader{wire::kMaxReplySize};
  std::vector<double> sent;        // by request id modulo depth
  std::vector<uint64_t> documents;
  uint64_t next_id = 1;
  uint64_t session = 0;  ///< of numbered requests, whose numbers are their ids
  Buffer out;
  std::optional<wire::FrameSealer> sealer;  // of an encrypted one
  std::optional<wire::FrameOpener> opener;
};

void send_all(int fd, Buffer& out) {
  for (size_t done = 0; done < out.size();) {
    ssize_t n = send(fd, out.data() + done, out.size() - done, MSG_NOSIGNAL);
    if (n <= 0) die("the server closed a connection");
    done += static_cast<size_t>(n);
  }
  out.clear();
}

/// The password's key: hashed once for all connections of the process, which would else take a second of every core.
Result<wire::Key> derive_once(const Load& load, Bytes salt, wire::PasswordCost cost) {
  static std::mutex mutex;
  static std::map<std::string, wire::Key> known;
  std::lock_guard lock(mutex);
  std::string name = fmt::format("{} {} {}", cost.passes, cost.memory_kib, salt) + load.password;
  if (auto at = known.find(name); at != known.end()) return at->second;
  HF_TRY(key, wire::argon2id(load.password, salt, cost));
  return known[name] = key;
}

void log_in(const Load& load, Connection& c) {
  wire::ClientHandshake::Options options{
      .user = load.user,
      .ephemeral = {},
      .ciphers = wire::usual_ciphers(wire::aes_unit()),
      .unit = wire::aes_unit(),
      .least = wire::kLeastCost,
      .most = {.passes = 16, .memory_kib = 1 << 20},
      .trust = [](const wire::Public&) { return Result<>(); },
      .derive = [&](Bytes salt, wire::PasswordCost cost) { return derive_once(load, salt, cost); }};
  if (getrandom(options.ephemeral.bytes().data(), wire::Key::kSize, 0) != wire::Key::kSize) die("no entropy");
  wire::ClientHandshake handshake(std::move(options));
  Buffer message = handshake.hello();
  while (handshake.wanted() > 0) {
    send_all(c.fd, message);
    Buffer answer(handshake.wanted(), '\0');
    if (recv(c.fd, answer.data(), answer.size(), MSG_WAITALL) != static_cast<ssize_t>(answer.size()))
      die("the server closed a connection");
    Result<Buffer> next = handshake.take(answer);
    if (!next) die(next.error().text());
    message = std::move(*next);
  }
  c.sealer.emplace(handshake.keys().style, handshake.keys().send);
  c.opener.emplace(handshake.keys().style, handshake.keys().receive);
}

void open_connection(const Load& load, Connection& c, int depth) {
  c.fd = connect_to(load);
  if (!load.user.empty()) log_in(load, c);
  c.sent.resize(static_cast<size_t>(depth));
  c.documents.resize(c.sent.size());
}

/// Seals what was appended from `start`.
void seal(Connection& c, size_t start) {
  if (c.sealer) c.sealer->seal(c.out, start);
}

void take_replies(const Load& load, Connection& c, Worker& w, int& free_slots) {
  MutableBytes room = c.reader.prepare();
  ssize_t n = recv(c.fd, room.data(), room.size(), 0);
  if (n <= 0) die("the server closed a connection");
  c.reader.commit(static_cast<size_t>(n));
  double now = now_s();
  uint64_t echo_id = c.next_id - (c.sent.size() - static_cast<size_t>(free_slots));
  for (;;) {
    Result<std::optional<Bytes>> frame = c.reader.next();
    if (!frame) die(frame.error().text());
    if (!*frame) return;
    if (c.opener) *frame = c.opener->open(c.reader.payload());
    if (!*frame) die("a reply does not open");
    uint64_t id = echo_id++;
    if (load.kind != Kind::kEcho) {
      Result<wire::Reply> reply = wire::parse_reply(**frame);
      if (!reply) die(reply.error().text());
      id = reply->id;
      if (!reply->ok() && w.figures.errors++ == 0) w.figures.first_error = reply->failure().text();
    }
    size_t slot = id % c.sent.size();
    w.latencies_us.push_back(static_cast<float>((now - c.sent[slot]) * 1e6));
    ++w.figures.requests;
    w.figures.documents += c.documents[slot];
    ++free_slots;
  }
}

/// Before anything else goes over the connection.
void open_session(const Load& load, Connection& c) {
  wire::RequestWriter w(c.out, {.id = 0, .op = Op::kOpenSession, .collection = load.collection});
  w.args().map(0);
  if (!w.end()) die("a request is too large");
  send_all(c.fd, c.out);
  for (;;) {
    Result<std::optional<Bytes>> frame = c.reader.next();
    if (!frame) die(frame.error().text());
    if (*frame) {
      Result<wire::Reply> reply = wire::parse_reply(**frame);
      if (!reply || !reply->ok()) die("no session could be opened");
      msgpack::Value v;
      msgpack::Cursor(*msgpack::lookup(reply->result, "session")).next(v);
      c.session = v.u;
      return;
    }
    MutableBytes room = c.reader.prepare();
    ssize_t n = recv(c.fd, room.data(), room.size(), 0);
    if (n <= 0) die("the server closed a connection");
    c.reader.commit(static_cast<size_t>(n));
  }
}

void work(const Load& load, int index, std::atomic<uint64_t>& numbers, std::atomic<bool>& stop, Worker& w) {
  Requests requests(load, static_cast<uint64_t>(index) + 1);
  int count = std::max(1, load.connections / load.workers);
  std::vector<Connection> connections(static_cast<size_t>(count));
  std::vector<int> free_slots(connections.size(), load.depth);
  int epoll = epoll_create1(0);
  for (size_t i = 0; i < connections.size(); ++i) {
    Connection& c = connections[i];
    open_connection(load, c, load.depth);
    if (load.kind == Kind::kInsertNumbered) open_session(load, c);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, c.fd, &e);
  }
  w.latencies_us.reserve(1 << 20);
  do {
    for (size_t i = 0; i < connections.size(); ++i) {
      Connection& c = connections[i];
      while (free_slots[i] > 0) {
        uint64_t id = c.next_id++;
        size_t slot = id % c.sent.size();
        size_t start = c.out.size();
        c.documents[slot] = requests.next(c.out, id, numbers.fetch_add(1, std::memory_order_relaxed), c.session);
        seal(c, start);
        c.sent[slot] = now_s();
        --free_slots[i];
      }
      if (!c.out.empty()) send_all(c.fd, c.out);
    }
    if (connections.size() == 1) {
      take_replies(load, connections[0], w, free_slots[0]);
      continue;
    }
    epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, 1000);
    for (int k = 0; k < n; ++k) take_replies(load, connections[events[k].data.u64], w, free_slots[events[k].data.u64]);
  } while (!stop.load(std::memory_order_relaxed));
  for (Connection& c : connections) close(c.fd);
  close(epoll);
}

}  // namespace

/// As applications have them: short, distinct, in no order that helps.
std::string bench_id(uint64_t n) { return fmt::format("{:016x}", (n + 1) * 0x9e3779b97f4a7c15ULL); }

std::string name_of(Kind kind) {
  for (const Name& n : kNames)
    if (n.kind == kind) return n.name;
  return "?";
}

Kind kind_of(const std::string& name) {
  std::string all;
  for (const Name& n : kNames) {
    if (name == n.name) return n.kind;
    all += std::string(" ") + n.name;
  }
  die("there is no operation '" + name + "'; there are" + all);
}

Figures run(const Load& load) {
  std::vector<Worker> workers(static_cast<size_t>(load.workers));
  std::atomic<uint64_t> numbers = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  double start = now_s();
  for (int i = 0; i < load.workers; ++i)
    threads.emplace_back([&, i] { work(load, i, numbers, stop, workers[static_cast<size_t>(i)]); });
  while (now_s() - start < load.seconds) usleep(10'000);
  stop = true;
  for (std::thread& t : threads) t.join();
  Figures all;
  all.seconds = now_s() - start;
  std::vector<float> latencies;
  for (Worker& w : workers) {
    all.requests += w.figures.requests;
    all.documents += w.figures.documents;
    if (w.figures.errors && all.errors == 0) all.first_error = w.figures.first_error;
    all.errors += w.figures.errors;
    latencies.insert(latencies.end(), w.latencies_us.begin(), w.latencies_us.end());
  }
  std::sort(latencies.begin(), latencies.end());
  auto at = [&](double q) {
    return latencies.empty() ? 0.0 : static_cast<double>(latencies[static_cast<size_t>(q * static_cast<double>(latencies.size() - 1))]);
  };
  all.p50_us = at(0.5);
  all.p95_us = at(0.95);
  all.p99_us = at(0.99);
  all.max_us = at(1);
  return all;
}

void preload(const Load& load, uint64_t n) {
  Connection c;
  open_connection(load, c, 8);
  Requests requests(load, 1);
  Worker w;
  int free_slots = 8;
  constexpr uint64_t kBatch = 1000;
  for (uint64_t first = 0; first < n; first += kBatch) {
    while (free_slots == 0) take_replies(load, c, w, free_slots);
    --free_slots;
    size_t start = c.out.size();
    requests.insert_many(c.out, c.next_id++, first, std::min(kBatch, n - first));
    seal(c, start);
    send_all(c.fd, c.out);
  }
  while (free_slots < 8) take_replies(load, c, w, free_slots);
  close(c.fd);
  if (w.figures.errors) die("preloading failed: " + w.figures.first_error);
}

std::string json(const std::string& name, const Figures& f) {
  return fmt::format(
      R"({{"name":"{}","requests_per_second":{:.0f},"documents_per_second":{:.0f},"requests":{},"errors":{},"seconds":{:.2f},)"
      R"("p50_us":{:.1f},"p95_us":{:.1f},"p99_us":{:.1f},"max_us":{:.1f}}})",
      name, f.per_second(), f.documents_per_second(), f.requests, f.errors, f.seconds, f.p50_us, f.p95_us, f.p99_us, f.max_us);
}

}  // namespace holdfast::bench
