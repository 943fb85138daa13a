#include "chaos/workload/streams.h"

#include <fmt/core.h>

#include <algorithm>

#include "chaos/workload/documents.h"
#include "chaos/workload/pause.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

constexpr const char* kCollections[] = {"docs", "once", "many"};

/// A document as it was shown.
struct Shown {
  std::string key;
  DocumentState state;
};

}  // namespace

struct Streams::Session {
  Session(io::Host& h, client::Options options, Rng stream) : client(h, std::move(options)), random(stream) {}
  client::Client client;
  Rng random;
};

/// What was asked for, and what has come of it. All clients see the same one.
struct Streams::Stream {
  // What is asked.
  std::string collection;
  Question question{};
  std::vector<std::pair<char, int64_t>> sort = {};  // fields and directions; then by key
  uint64_t skip = 0;
  uint64_t limit = 0;  // 0: all
  uint64_t page = 0;   // documents; 0: any number
  Buffer asked = {};   // the pairs of its args that all pages have in common
  uint32_t pairs = 0;
  Buffer size = {};    // those that say how large a page is
  uint32_t size_pairs = 0;

  // What has come.
  struct Page {
    Buffer cursor;  // that asked for it
    Buffer answer;  // raw
    Buffer documents;
  };
  std::vector<Page> pages = {};
  Buffer next = {};  // the cursor of the page after those
  bool over = false;
  bool fetching = false;  // the next one; once it was asked for, the server may think the stream done
  bool may_be_done = false;
  uint64_t life = 0;
  uint64_t epoch = 0;
  Lsn before, snapshot;
  Time begun, used;

  std::string prefix() const { return collection + "/"; }
  /// Whether a comes before b; false also when they are equal.
  bool before_in_order(const Shown& a, const Shown& b) const {
    for (auto [field, direction] : sort) {
      uint64_t x = field == 'v' ? a.state.value : static_cast<uint64_t>(a.state.counter);
      uint64_t y = field == 'v' ? b.state.value : static_cast<uint64_t>(b.state.counter);
      if (x != y) return (x < y) == (direction > 0);
    }
    return a.key < b.key;
  }
};

struct Streams::Got {
  Buffer answer;
  Buffer documents;
  Buffer cursor;
  Lsn snapshot;
  Lsn lsn, durable;
};

// ---- Asking ----

Streams::Shared Streams::draw(Session& s) {
  auto out = std::make_shared<Stream>();
  Stream& stream = *out;
  stream.collection = kCollections[s.random.below(3)];
  stream.question = ask(s.random, options_.keys);
  if (s.random.below(3) == 0) stream.question = {.query = Buffer("\x80"), .text = "all", .selects = [](std::string_view, const DocumentState&) { return true; }};
  constexpr std::string_view kSorts[] = {"", "", "v", "n", "nv"};
  for (char field : kSorts[s.random.below(5)]) stream.sort.emplace_back(field, s.random.below(2) == 0 ? 1 : -1);
  if (s.random.below(3) == 0) stream.skip = s.random.between(1, 6);
  if (s.random.below(3) == 0) stream.limit = s.random.between(1, 12);
  msgpack::Writer w(stream.asked);
  auto pair = [&](std::string_view name) -> msgpack::Writer& {
    ++stream.pairs;
    return w.string(name);
  };
  pair("query").raw(stream.question.query);
  if (!stream.sort.empty()) pair("sort").map(static_cast<uint32_t>(stream.sort.size()));
  for (auto [field, direction] : stream.sort) w.string(std::string(1, field)).integer(direction);
  if (stream.skip > 0) pair("skip").uint(stream.skip);
  if (stream.limit > 0) pair("limit").uint(stream.limit);
  // All that a document of ours has.
  if (s.random.below(2) == 0) pair("projection").map(4).string("p").integer(1).string("v").integer(1).string("n").integer(1).string("h").integer(1);
  msgpack::Writer size(stream.size);
  if (s.random.below(4) != 0) {
    stream.page = s.random.between(1, 4);
    size.string("page").uint(stream.page);
    ++stream.size_pairs;
  }
  if (s.random.below(3) == 0) {
    size.string("bytes").uint(s.random.between(1, 4000));
    ++stream.size_pairs;
  }
  return out;
}

Streams::Shared Streams::draw_or_repeat(Session& s) {
  auto left = std::ranges::find_if(open_, [this](const Shared& stream) { return stream->life != options_.life(); });
  if (left == open_.end() || s.random.below(4) == 0) return draw(s);
  const Stream& of = **left;
  auto out = std::make_shared<Stream>();
  out->collection = of.collection;
  out->question = of.question;
  out->sort = of.sort;
  out->skip = of.skip;
  out->limit = of.limit;
  out->page = of.page;
  out->asked = of.asked;
  out->pairs = of.pairs;
  out->size = of.size;
  out->size_pairs = of.size_pairs;
  return out;
}

io::Task<std::optional<Streams::Got>> Streams::fetch(Session& s, Shared stream, Buffer cursor) {
  Buffer args;
  msgpack::Writer w(args);
  w.map(stream->pairs + stream->size_pairs + !cursor.empty()).raw(stream->asked);
  if (stream->size_pairs > 0) w.raw(stream->size);
  if (!cursor.empty()) w.string("cursor").binary(cursor);
  Time asked = options_.now();
  uint64_t life = options_.life();
  auto done = co_await s.client.call({.op = wire::Op::kStream, .collection = stream->collection, .args = std::move(args), .database = {}});
  if (!done) {
    failed(*stream, done.error(), asked);
    co_return std::nullopt;
  }
  if (!cursor.empty() && life != stream->life) {
    ledger_.violation("a cursor of a server that has ended was answered: " + stream->question.text);
    co_return std::nullopt;
  }
  ++counts_.pages;
  stream->used = std::max(stream->used, asked);
  Got got{.answer = std::move(done->value), .documents = {}, .cursor = {}, .snapshot = {}, .lsn = done->lsn, .durable = done->durable_lsn};
  msgpack::Value value;
  if (auto raw = msgpack::lookup(got.answer, "docs")) got.documents = Buffer(*raw);
  if (auto raw = msgpack::lookup(got.answer, "cursor"); raw && msgpack::Cursor(*raw).next(value)) got.cursor = Buffer(value.bytes);
  if (auto raw = msgpack::lookup(got.answer, "lsn"); raw && msgpack::Cursor(*raw).next(value)) got.snapshot = Lsn(value.u);
  co_return got;
}

/// Whether the server may have refused a page.
void Streams::failed(Stream& stream, const Error& error, Time asked) {
  bool same_life = options_.life() == stream.life;
  Duration idle = options_.now() - stream.used;
  // By the server's clock.
  auto may_be_past = [&](Time since, Duration limit) { return (options_.now() - since).ns / 10 * 11 + milliseconds(1).ns >= limit.ns; };
  switch (error.code) {
    case Code::kCursorExpired: {
      ++counts_.expired;
      stream.over = true;
      bool may = !same_life || options_.crowded || may_be_past(stream.used, options_.idle) || (stream.may_be_done && may_be_past(stream.used, options_.done));
      if (!may) ledger_.violation(fmt::format("a cursor that was used {} ms ago is said to have expired", idle.ns / 1'000'000));
      return;
    }
    case Code::kSnapshotTooOld: {
      ++counts_.too_old;
      stream.over = true;
      bool may = options_.forgetful || may_be_past(stream.begun, options_.age);
      if (!may) ledger_.violation("a young snapshot is said to be too old");
      return;
    }
    case Code::kBadRequest:
    case Code::kTooLarge:
    case Code::kNotFound:
    case Code::kUnsupported:
    case Code::kCorrupt:
    case Code::kInternal:
      return ledger_.violation(fmt::format("a page of a stream ({}), asked for at {} ms, was refused: {}", stream.question.text, asked.ns / 1'000'000, error.text()));
    default:
      return;  // not reached, no room, stopping: another time
  }
}

io::Task<void> Streams::begin(Session& s) {
  Shared stream = draw_or_repeat(s);
  stream->life = options_.life();
  stream->epoch = ledger_.epoch();
  stream->before = ledger_.highest_acknowledged();
  stream->begun = stream->used = options_.now();
  auto got = co_await fetch(s, stream, {});
  // An answer that was sent again may come from the next life.
  if (!got || stream->over || stream->life != options_.life() || stream->epoch != ledger_.epoch()) co_return;
  ++counts_.begun;
  ledger_.acknowledged("a stream of " + stream->collection, stream->before, got->lsn, got->durable);
  stream->snapshot = got->snapshot;
  stream->next = got->cursor;
  stream->pages.push_back({{}, std::move(got->answer), std::move(got->documents)});
  if (stream->next.empty()) co_return judge(*stream);
  open_.push_back(std::move(stream));
}

io::Task<void> Streams::go_on(Session& s, Shared stream) {
  if (stream->fetching || stream->next.empty()) co_return;
  stream->fetching = stream->may_be_done = true;
  Buffer cursor = stream->next;
  auto got = co_await fetch(s, stream, cursor);
  stream->fetching = false;
  if (!got || stream->over) co_return;
  if (got->snapshot != stream->snapshot)
    ledger_.violation(fmt::format("a stream began at LSN {} and goes on at LSN {}", stream->snapshot.value, got->snapshot.value));
  stream->pages.push_back({std::move(cursor), std::move(got->answer), std::move(got->documents)});
  stream->next = std::move(got->cursor);
  // It stays for a while, for pages to be asked for again.
  if (stream->next.empty()) judge(*stream);
}

io::Task<void> Streams::ask_again(Session& s, Shared stream) {
  size_t n = s.random.below(stream->pages.size());
  Buffer cursor = stream->pages[n].cursor;
  if (cursor.empty()) co_return;  // asking for the first page begins another stream
  auto got = co_await fetch(s, stream, std::move(cursor));
  if (!got) co_return;
  ++counts_.again;
  if (got->answer != stream->pages[n].answer)
    ledger_.violation(fmt::format("page {} of a stream ({}) at LSN {} came out otherwise when asked for again: {} bytes instead of {}", n + 1,
                                  stream->question.text, stream->snapshot.value, got->answer.size(), stream->pages[n].answer.size()));
}

/// A cursor of one stream with the query of another one.
io::Task<void> Streams::present_elsewhere(Session& s, Shared stream) {
  Shared other = draw(s);
  if (other->asked == stream->asked && other->collection == stream->collection) co_return;
  Buffer args;
  msgpack::Writer(args).map(other->pairs + 1).raw(other->asked).string("cursor").binary(stream->next.empty() ? stream->pages.back().cursor : stream->next);
  auto done = co_await s.client.call({.op = wire::Op::kStream, .collection = other->collection, .args = std::move(args), .database = {}});
  ++counts_.foreign;
  if (done) ledger_.violation(fmt::format("a cursor of a stream of {} ({}) was taken for one of {} ({})", stream->collection, stream->question.text, other->collection, other->question.text));
}

io::Task<void> Streams::present_nonsense(Session& s, Shared stream) {
  Buffer cursor = stream->next.empty() ? stream->pages.back().cursor : stream->next;
  if (s.random.below(2) == 0)
    cursor.resize(s.random.below(cursor.size()) + 1);
  else
    cursor[s.random.below(cursor.size())] ^= static_cast<char>(1 << s.random.below(8));
  if (cursor == stream->next || cursor == stream->pages.back().cursor) co_return;  // not cut at all
  Buffer args;
  msgpack::Writer(args).map(stream->pairs + 1).raw(stream->asked).string("cursor").binary(cursor);
  auto done = co_await s.client.call({.op = wire::Op::kStream, .collection = stream->collection, .args = std::move(args), .database = {}});
  ++counts_.malformed;
  if (done || done.error().code == Code::kCursorExpired) ledger_.violation("what is no cursor was taken for one");
}

// ---- Judging ----

/// How many there had to be.
void Streams::judge_numbers(const Stream& stream, uint64_t shown) {
  auto selects = [&](const DocumentName& name, const DocumentState& state) {
    return stream.question.selects(std::string_view(name).substr(stream.prefix().size()), state);
  };
  Bounds all = ledger_.count(stream.prefix(), stream.snapshot, selects);
  uint64_t limit = stream.limit == 0 ? UINT64_MAX : stream.limit;
  auto left = [&](uint64_t n) { return std::min(limit, n - std::min(n, stream.skip)); };
  if (shown < left(all.least) || shown > left(all.most))
    ledger_.violation(fmt::format("a stream of {} ({}) that skips {} and is limited to {} shows {} documents at LSN {}, of {} to {} that match", stream.collection,
                                  stream.question.text, stream.skip, stream.limit, shown, stream.snapshot.value, all.least, all.most));
}

void Streams::judge(const Stream& stream) {
  if (stream.epoch != ledger_.epoch()) return;
  ++counts_.judged;
  std::string what = fmt::format("a stream of {} ({})", stream.collection, stream.question.text);
  std::map<DocumentName, DocumentState> documents;
  std::vector<Shown> shown;
  for (const Stream::Page& page : stream.pages) {
    client::Documents of_page{Buffer(page.documents)};
    if (stream.page > 0 && of_page.size() > stream.page) ledger_.violation(fmt::format("{} has {} documents in a page of {}", what, of_page.size(), stream.page));
    Bytes raw;
    for (auto it = of_page.begin(); it.next(raw);) {
      Result<ReadDocument> read = read_document(raw);
      if (!read) return ledger_.violation(what + " shows this: " + read.error().message);
      if (!stream.question.selects(read->key, read->state)) ledger_.violation(fmt::format("{} shows {} as {}", what, read->key, text(read->state)));
      if (!documents.emplace(stream.prefix() + read->key, read->state).second) ledger_.violation(fmt::format("{} shows {} twice", what, read->key));
      Shown now{read->key, read->state};
      if (!stream.sort.empty() && !shown.empty() && !stream.before_in_order(shown.back(), now))
        ledger_.violation(fmt::format("{} shows {} out of its order", what, read->key));
      shown.push_back(std::move(now));
    }
  }
  judge_numbers(stream, shown.size());
  bool cut = stream.limit > 0 && shown.size() >= stream.limit;
  bool sorted = !stream.sort.empty();
  auto expected = [&](const DocumentName& name, const DocumentState& state) {
    Shown one{name.substr(stream.prefix().size()), state};
    if (!stream.question.selects(one.key, state)) return false;
    if (!sorted && (stream.skip > 0 || cut)) return documents.contains(name);  // which are left out is not known
    if (sorted && cut && stream.before_in_order(shown.back(), one)) return false;
    if (sorted && stream.skip > 0) return !shown.empty() && !stream.before_in_order(one, shown.front());
    return true;
  };
  ledger_.snapshot(stream.prefix(), stream.snapshot, documents, expected);
  if (!sorted || stream.skip == 0 || shown.empty()) return;
  Bounds skipped = ledger_.count(stream.prefix(), stream.snapshot, [&](const DocumentName& name, const DocumentState& state) {
    Shown one{name.substr(stream.prefix().size()), state};
    return stream.question.selects(one.key, state) && stream.before_in_order(one, shown.front());
  });
  if (!skipped.hold(stream.skip)) ledger_.violation(fmt::format("{} skips {} to {} documents, asked for {}", what, skipped.least, skipped.most, stream.skip));
}

// ---- Clients ----

io::Task<void> Streams::step(Session& s) {
  std::erase_if(open_, [](const Shared& stream) { return stream->over; });
  if (open_.empty() || (open_.size() < options_.open_max && s.random.below(4) == 0)) co_return co_await begin(s);
  Shared stream = open_[s.random.below(open_.size())];
  switch (s.random.below(16)) {
    case 0: co_return co_await present_elsewhere(s, stream);
    case 1: co_return co_await present_nonsense(s, stream);
    case 2: case 3: case 4: case 5: co_return co_await ask_again(s, stream);
    default:
      if (!stream->next.empty()) co_return co_await go_on(s, stream);
      // Through: one more look at an old page, and it goes.
      if (s.random.below(3) != 0) co_await ask_again(s, stream);
      std::erase(open_, stream);
  }
}

io::Task<void> Streams::run_client(io::Host& host, int index) {
  client::Options options{.server = options_.server, .connections = 2, .timeout = options_.timeout, .connect_timeout = options_.timeout, .max_attempts = 4};
  Session s(host, options, random_.fork(fmt::format("streams {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    co_await step(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  co_await s.client.close();
}

}  // namespace holdfast::chaos
