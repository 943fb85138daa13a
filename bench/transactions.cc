#include "bench/transactions.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "bench/child.h"
#include "bench/load.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"

namespace holdfast::bench {
namespace {

using wire::Op;

/// One connection, one request at a time.
class Caller {
 public:
  explicit Caller(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) die(fmt::format("cannot connect to port {}", port));
    int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Caller(const Caller&) = delete;
  ~Caller() { close(fd_); }

  /// `write(args)` writes the arguments. The reply's views live until the next call.
  template <class F>
  wire::Reply ask(wire::RequestWriter::Head head, F write) {
    out_.clear();
    head.id = ++id_;
    wire::RequestWriter w(out_, head);
    msgpack::Writer args = w.args();
    write(args);
    if (!w.end()) die("a request is too large");
    for (size_t done = 0; done < out_.size();) {
      ssize_t n = send(fd_, out_.data() + done, out_.size() - done, MSG_NOSIGNAL);
      if (n <= 0) die("the server closed a connection");
      done += static_cast<size_t>(n);
    }
    for (;;) {
      Result<std::optional<Bytes>> frame = reader_.next();
      if (!frame) die(frame.error().text());
      if (*frame) {
        Result<wire::Reply> reply = wire::parse_reply(**frame);
        if (!reply) die(reply.error().text());
        return *reply;
      }
      MutableBytes room = reader_.prepare();
      ssize_t n = recv(fd_, room.data(), room.size(), 0);
      if (n <= 0) die("the server closed a connection");
      reader_.commit(static_cast<size_t>(n));
    }
  }

 private:
  int fd_;
  uint64_t id_ = 0;
  Buffer out_;
  wire::FrameReader reader_{wire::kMaxReplySize};
};

struct Row {
  std::string name;
  const char* mode;
  int changes;  ///< per transaction; 0: one change without a transaction
  bool contended;
};

struct Counts {
  uint64_t committed = 0;
  uint64_t conflicts = 0;
  std::vector<float> commit_us;
};

struct Random {
  uint64_t state;
  uint64_t below(uint64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
  }
};

void change(Caller& caller, uint64_t document, const std::string& tx) {
  wire::Reply done = caller.ask({.op = Op::kUpdateOne, .collection = "bench", .transaction = tx}, [&](msgpack::Writer& args) {
    args.map(2).string("filter").map(1).string("_id").string(bench_id(document));
    args.string("update").map(1).string("$inc").map(1).string("n").integer(1);
  });
  if (!done.ok()) die(done.failure().text());
}

/// False: it met another.
bool transact(Caller& caller, const Row& row, uint64_t among, Random& random, Counts& counts) {
  wire::Reply begun = caller.ask({.op = Op::kBeginTx}, [](msgpack::Writer& args) { args.map(0); });
  if (!begun.ok()) die(begun.failure().text());
  Bytes id;
  msgpack::Cursor(*msgpack::lookup(begun.result, "tx_id")).string(id);
  std::string tx(id);
  for (int i = 0; i < row.changes; ++i) change(caller, random.below(among), tx);
  double start = now_s();
  wire::Reply done = caller.ask({.op = Op::kTxCommit}, [&](msgpack::Writer& args) { args.map(1).string("tx_id").string(tx); });
  if (!done.ok() && done.code != Code::kConflict) die(done.failure().text());
  if (done.ok()) counts.commit_us.push_back(static_cast<float>((now_s() - start) * 1e6));
  return done.ok();
}

Counts run(const TransactionOptions& o, const Row& row, uint16_t port) {
  std::vector<Counts> all(static_cast<size_t>(o.workers));
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  uint64_t among = row.contended ? o.hot : o.documents;
  for (int i = 0; i < o.workers; ++i)
    threads.emplace_back([&, i] {
      Caller caller(port);
      Random random{static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15};
      Counts& mine = all[static_cast<size_t>(i)];
      while (!stop.load(std::memory_order_relaxed)) {
        if (row.changes == 0) {
          double start = now_s();
          change(caller, random.below(among), "");
          mine.commit_us.push_back(static_cast<float>((now_s() - start) * 1e6));
          ++mine.committed;
        } else {
          transact(caller, row, among, random, mine) ? ++mine.committed : ++mine.conflicts;
        }
      }
    });
  usleep(static_cast<useconds_t>(o.seconds * 1e6));
  stop = true;
  for (std::thread& t : threads) t.join();
  Counts sum;
  for (Counts& c : all) {
    sum.committed += c.committed;
    sum.conflicts += c.conflicts;
    sum.commit_us.insert(sum.commit_us.end(), c.commit_us.begin(), c.commit_us.end());
  }
  return sum;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

}  // namespace

void measure_transactions(const TransactionOptions& o) {
  std::vector<Row> rows;
  for (const char* mode : {"async", "sync"}) {
    rows.push_back({fmt::format("single_{}", mode), mode, 0, false});
    for (int changes : {1, 4, 16})
      for (bool contended : {false, true}) rows.push_back({fmt::format("transaction_{}{}_{}", changes, contended ? "_contended" : "", mode), mode, changes, contended});
  }
  std::map<std::string, std::vector<double>> committed, aborted, latency;
  for (int round = 0; round < o.rounds; ++round) {
    ScratchDirectory scratch(o.scratch);
    std::map<std::string, Child> servers;
    std::map<std::string, uint16_t> ports;
    for (const char* mode : {"async", "sync"}) {
      servers[mode] =
          Child::start({o.server, "--data-path", scratch.path() + "/" + mode, "--port", "0", "--sync-mode", mode}, "holdfastd ready on ");
      std::string at = servers[mode].ready_rest();
      ports[mode] = static_cast<uint16_t>(std::stoul(at.substr(at.rfind(':') + 1)));
      preload({.port = ports[mode], .document_bytes = o.document_bytes}, o.documents);
    }
    for (const Row& row : rows) {
      Counts c = run(o, row, ports[row.mode]);
      std::sort(c.commit_us.begin(), c.commit_us.end());
      committed[row.name].push_back(static_cast<double>(c.committed) / o.seconds);
      aborted[row.name].push_back(100.0 * static_cast<double>(c.conflicts) / static_cast<double>(std::max<uint64_t>(1, c.committed + c.conflicts)));
      latency[row.name].push_back(c.commit_us.empty() ? 0 : static_cast<double>(c.commit_us[c.commit_us.size() / 2]));
    }
  }
  std::string out;
  for (const Row& row : rows)
    out += fmt::format(R"({}"{}":{{"committed_per_second":{:.0f},"to_single":{:.3f},"aborted_percent":{:.1f},"commit_p50_us":{:.0f},"commit_to_single":{:.2f}}})",
                       out.empty() ? "" : ",\n  ", row.name, median(committed[row.name]),
                       median(committed[row.name]) / median(committed[fmt::format("single_{}", row.mode)]), median(aborted[row.name]), median(latency[row.name]),
                       median(latency[row.name]) / median(latency[fmt::format("single_{}", row.mode)]));
  fmt::print("{{\"rounds\":{},\"workers\":{},\"documents\":{},\"hot\":{},\n \"medians\":{{\n  {}}}}}\n", o.rounds, o.workers, o.documents, o.hot, out);
}

}  // namespace holdfast::bench
