// Lists within a transaction: reads and appends.
#include "chaos/workload/lists.h"

#include <algorithm>

#include "chaos/workload/lists_run.h"
#include "io/base/assert.h"
#include "io/sync.h"

namespace holdfast::chaos {

using namespace lists;
using msgpack::Kind;
using msgpack::Value;

Lists::Lists(ListsOptions options, TransactionLives& lives, Ledger& ledger)
    : options_(options), lives_(lives), ledger_(ledger), history_(full_name) {
  HF_ASSERT(options.keys > 0 && options.places > 0 && options.places <= kPlaceCount,
            "there is a list, and a name for each collection");
  places_ = std::min(options.places, options.keys);
  for (uint64_t i = 0; i < options.keys; ++i) keys_.push_back(i % places_ * kKeysPerPlace + i / places_);
}

std::vector<Lists::Key> Lists::keys_at(uint64_t place) const {
  std::vector<Key> out;
  std::ranges::copy_if(keys_, std::back_inserter(out), [place](Key key) { return number_of_place(key) == place; });
  return out;
}

// ---- Documents ----

/// Nothing: no append can have made it.
std::optional<Lists::List> Lists::list_of(Bytes document, Key key) {
  Bytes id;
  Value n, head, v;
  auto raw_id = msgpack::lookup(document, "_id"), raw_n = msgpack::lookup(document, "n"),
       raw = msgpack::lookup(document, "l");
  List out;
  bool right = raw_id && raw_n && raw && msgpack::Cursor(*raw_id).string(id) && id == key_name(key) &&
               msgpack::Cursor(*raw_n).next(n) && n.kind == Kind::kUint;
  if (right) {
    msgpack::Cursor in(*raw);
    right = in.next(head) && head.kind == Kind::kArray && head.count == n.u && n.u > 0;
    for (uint32_t i = 0; right && i < head.count; ++i) {
      right = in.next(v) && v.kind == Kind::kUint;
      out.push_back(v.u);
    }
  }
  if (right) return out;
  ledger_.violation(fmt::format("{} is a document that no append can have made", full_name(key)));
  return std::nullopt;
}

/// Those of a place, each once; those that are not there are empty.
std::optional<std::map<Lists::Key, Lists::List>> Lists::lists_of(const client::Documents& documents, uint64_t place) {
  std::map<Key, List> out;
  for (Key key : keys_at(place)) out[key];
  Bytes document;
  for (auto it = documents.begin(); it.next(document);) {
    Bytes id;
    auto raw = msgpack::lookup(document, "_id");
    if (raw) (void)msgpack::Cursor(*raw).string(id);
    auto at = std::ranges::find_if(out, [id](const auto& l) { return key_name(l.first) == id; });
    if (at == out.end() || !at->second.empty()) {
      ledger_.violation(fmt::format("{}.{} shows '{}', which {}", kPlaces[place].database, kPlaces[place].collection,
                                    id, at == out.end() ? "nobody wrote" : "it has shown already"));
      return std::nullopt;
    }
    auto list = list_of(document, at->first);
    if (!list) return std::nullopt;
    at->second = std::move(*list);
  }
  return out;
}

void Lists::shown(const std::map<Key, List>& lists, Lsn lsn) {
  for (const auto& [key, list] : lists)
    if (!list.empty()) there_[key] = std::min(there_.try_emplace(key, lsn).first->second, lsn);
}

// ---- Within a transaction ----

io::Task<Lists::TxRef> Lists::begin(TransactionSession& s) {
  auto t = std::make_shared<Tx>();
  t->validated = s.random.below(3) == 0;
  t->only_reads = s.random.below(t->validated ? 3 : 8) == 0;
  t->life = lives_.life();
  t->epoch = history_.epoch();
  t->used_from = s.now();
  t->id = history_.begin(t->validated ? AppendHistory::Reads::kValidated : AppendHistory::Reads::kFromSnapshot,
                         ledger_.highest_acknowledged());
  ++asked_;
  auto begun = co_await s.client.begin({.validate_reads = t->validated});
  if (!begun) lives_.judge(begun.error());
  if (!begun || t->life != lives_.life()) {
    history_.given_up(t->id);
    co_return nullptr;
  }
  t->handle = *begun;
  t->used_by = s.now();
  tell(fmt::format("transaction {}{} begins at LSN {}", t->id, t->validated ? ", validated," : "",
                   begun->snapshot().value));
  note(history_.begun(t->id, begun->snapshot()));
  ledger_.acknowledged("a snapshot", Lsn(), begun->snapshot(), Lsn());
  co_return t;
}

template <class T>
bool Lists::heard(TransactionSession& s, Tx& t, const Asked& asked, const Result<T>& result) {
  ++asked_;
  lives_.heard(t, asked, s.now(), result ? nullptr : &result.error());
  if (result) return true;
  tell(fmt::format("transaction {} is told: {}", t.id, result.error().text()));
  if (result.error().code == Code::kTxUnknown) {
    t.over = true;
    history_.not_known(t.id);
  } else {
    t.broken = true;
  }
  return false;
}

bool Lists::expect(bool right, const char* wrong) {
  if (!right) ledger_.violation(wrong);
  return right;
}

void Lists::told(Tx& t, Key key, const List& list, Absent absent) {
  tell(fmt::format("transaction {} reads {}: {}", t.id, full_name(key), show(list)));
  if (t.deleted.contains(key)) {
    if (!list.empty())
      ledger_.violation(fmt::format("transaction {} finds {}, which it has deleted", t.id, full_name(key)));
    return;
  }
  t.known[key] = list;
  // What a query did not find is not validated.
  if (list.empty() && t.validated && absent == Absent::kIsNotSeen) return;
  note(history_.read(t.id, key, list));
}

io::Task<void> Lists::read_one(TransactionSession& s, Tx& t, Key key) {
  Asked asked = lives_.ask(t, s.now());
  std::optional<Buffer> document;
  uint64_t how = s.random.below(4);
  if (how == 0) {
    auto found = co_await at(t.handle, key).find(one_of(key));
    if (!heard(s, t, asked, found)) co_return;
    Bytes first;
    if (auto it = found->value.begin(); it.next(first)) document = Buffer(first);
    if (found->value.size() > 1) ledger_.violation(fmt::format("a query for {} finds several", full_name(key)));
  } else if (how == 1) {
    Buffer args;
    Writer(args).map(2).string("tx_id").string(t.handle.id()).string("id").string(key_name(key));
    auto found = co_await s.client.call({.op = wire::Op::kTxFindById,
                                         .collection = place_of(key).collection,
                                         .args = std::move(args),
                                         .database = place_of(key).database});
    Result<> done;
    if (!found && found.error().code != Code::kNotFound) done = std::unexpected(found.error());
    if (!heard(s, t, asked, done)) co_return;
    if (found) document = std::move(found->value);
  } else {
    auto found =
        co_await (how == 2 ? at(t.handle, key).find_by_id(key_name(key)) : at(t.handle, key).find_one(by_id(key)));
    if (!heard(s, t, asked, found)) co_return;
    document = std::move(found->value);
  }
  std::optional<List> list = document ? list_of(*document, key) : List();
  if (list) told(t, key, *list, how == 0 ? Absent::kIsNotSeen : Absent::kIsRead);
}

io::Task<void> Lists::read_all(TransactionSession& s, Tx& t, uint64_t place) {
  Asked asked = lives_.ask(t, s.now());
  auto found = co_await at(t.handle, place * kKeysPerPlace).find(everything(s.random.below(2) == 0));
  if (!heard(s, t, asked, found)) co_return;
  auto all = lists_of(found->value, place);
  if (!all) co_return;
  for (const auto& [key, list] : *all) told(t, key, list, Absent::kIsNotSeen);
}

io::Task<void> Lists::count_all(TransactionSession& s, Tx& t, uint64_t place) {
  Asked asked = lives_.ask(t, s.now());
  auto found = co_await (s.random.below(2) == 0 ? at(t.handle, place * kKeysPerPlace).count()
                                                : at(t.handle, place * kKeysPerPlace).count(everything(true)));
  if (!heard(s, t, asked, found)) co_return;
  uint64_t least = 0, most = 0;
  for (Key key : keys_at(place)) {
    auto known = t.known.find(key);
    bool gone = t.deleted.contains(key);
    least += !gone && known != t.known.end() && !known->second.empty();
    most += !gone && (known == t.known.end() || !known->second.empty());
  }
  if (found->value < least || found->value > most)
    ledger_.violation(fmt::format("transaction {} counts {} lists where it has seen between {} and {}", t.id,
                                  found->value, least, most));
}

io::Task<void> Lists::append(TransactionSession& s, Tx& t, Key key) {
  if (t.deleted.contains(key)) co_return;
  uint64_t value = ++last_value_;
  tell(fmt::format("transaction {} appends {} to {}", t.id, value, full_name(key)));
  history_.append(t.id, key, value);
  t.appended = true;
  auto known = t.known.find(key);
  bool done;
  if (known == t.known.end())
    done = co_await upsert(s, t, key, value);
  else
    done = co_await (known->second.empty() ? append_to_absent(s, t, key, value) : append_to_present(s, t, key, value));
  if (!done) {
    t.broken = true;
    co_return;
  }
  known = t.known.find(key);
  if (known != t.known.end() && (known->second.empty() || known->second.back() != value))
    known->second.push_back(value);
}

/// Whether it is there or not.
io::Task<bool> Lists::upsert(TransactionSession& s, Tx& t, Key key, uint64_t value) {
  Asked asked = lives_.ask(t, s.now());
  uint64_t how = s.random.below(3);
  if (how == 0) {
    auto done =
        co_await at(t.handle, key).find_and_modify(by_id(key), {.update = push(value), .upsert = true, .after = true});
    if (!heard(s, t, asked, done)) co_return false;
    if (!expect(done->value.document.has_value(), "an upsert within a transaction returns no document"))
      co_return false;
    auto list = list_of(*done->value.document, key);
    if (list &&
        expect(list->back() == value, "an upsert within a transaction returns a document without what it appended")) {
      told(t, key, *list, Absent::kIsRead);
    }
    co_return true;
  }
  auto done = co_await (how == 1 ? at(t.handle, key).upsert_one(by_id(key), push(value))
                                 : at(t.handle, key).upsert_many(by_id(key), push(value)));
  if (!heard(s, t, asked, done)) co_return false;
  co_return expect(done->value.matched + done->value.upserted.has_value() == 1,
                   "an upsert by _id within a transaction neither found nor inserted");
}

io::Task<bool> Lists::append_to_absent(TransactionSession& s, Tx& t, Key key, uint64_t value) {
  uint64_t how = s.random.below(4);
  if (how == 3) co_return co_await upsert(s, t, key, value);
  Asked asked = lives_.ask(t, s.now());
  Result<> done;
  if (how == 0) {
    auto inserted = co_await at(t.handle, key).insert_one(document(key, {value}));
    if (!inserted) done = std::unexpected(inserted.error());
  } else if (how == 1) {
    std::vector<Buffer> documents{document(key, {value})};
    auto inserted = co_await at(t.handle, key).insert_many(std::move(documents));
    if (!inserted) done = std::unexpected(inserted.error());
  } else {
    Buffer args;
    Writer(args).map(2).string("tx_id").string(t.handle.id()).string("doc").raw(document(key, {value}));
    auto inserted = co_await s.client.call({.op = wire::Op::kTxInsertOne,
                                            .collection = place_of(key).collection,
                                            .args = std::move(args),
                                            .database = place_of(key).database,
                                            .resend = client::Resend::kNever});
    if (!inserted) done = std::unexpected(inserted.error());
  }
  if (!done && done.error().code == Code::kDuplicateKey)
    ledger_.violation(fmt::format("transaction {} has seen that {} is not there, and cannot insert it: {}", t.id,
                                  full_name(key), done.error().text()));
  co_return heard(s, t, asked, done);
}

io::Task<bool> Lists::append_to_present(TransactionSession& s, Tx& t, Key key, uint64_t value) {
  uint64_t how = s.random.below(8);
  if (how == 0) co_return co_await upsert(s, t, key, value);
  if (how == 1) co_return co_await write_again(s, t, key, value);
  uint64_t last = t.known[key].back();
  Asked asked = lives_.ask(t, s.now());
  client::Collection c = at(t.handle, key);
  if (how == 2) {
    Buffer args;
    Writer(args)
        .map(3)
        .string("tx_id")
        .string(t.handle.id())
        .string("filter")
        .raw(by_id(key))
        .string("update")
        .raw(push(value));
    auto done = co_await s.client.call({.op = wire::Op::kTxUpdateOne,
                                        .collection = place_of(key).collection,
                                        .args = std::move(args),
                                        .database = place_of(key).database,
                                        .resend = client::Resend::kNever});
    co_return heard(s, t, asked, done);
  }
  if (how == 3) {
    bool after = s.random.below(2) == 0;
    auto done = co_await c.find_and_modify(with_value(last), {.update = push(value), .after = after});
    if (!heard(s, t, asked, done)) co_return false;
    if (!expect(done->value.document.has_value(),
                "a transaction does not find a document by a number that it has seen in it"))
      co_return false;
    auto list = list_of(*done->value.document, key);
    if (!list) co_return false;
    if (!after) list->push_back(value);
    if (expect(list->back() == value,
               "a find_and_modify within a transaction returns a document without what it appended"))
      note(history_.read(t.id, key, *list));
    co_return true;
  }
  auto done = co_await (how == 4   ? c.update_many(one_of(key), push(value))
                        : how == 5 ? c.update_many(with_value(last), push(value))
                        : how == 6 ? c.update_one(with_value(last), push(value))
                                   : c.update_one(by_id(key), push(value)));
  if (!heard(s, t, asked, done)) co_return false;
  co_return expect(done->value.matched == 1 && done->value.modified == 1,
                   "a transaction does not change a document that it has seen");
}

/// Deletes it, and inserts it with one number more.
io::Task<bool> Lists::write_again(TransactionSession& s, Tx& t, Key key, uint64_t value) {
  t.deleted.insert(key);
  List list = t.known[key];
  list.push_back(value);
  Asked asked = lives_.ask(t, s.now());
  auto gone = co_await (s.random.below(2) == 0 ? at(t.handle, key).delete_one(by_id(key))
                                               : at(t.handle, key).delete_many(one_of(key)));
  if (!heard(s, t, asked, gone)) co_return false;
  if (!expect(gone->value == 1, "a transaction does not delete a document that it has seen")) co_return false;
  uint64_t looks = s.random.below(4);
  if (looks > 0 && t.at_once) looks = 3;  // what others of its requests do meanwhile is not known
  if (looks == 0) co_await read_one(s, t, key);
  if (looks == 1) co_await read_all(s, t, number_of_place(key));
  if (looks == 2) co_await count_all(s, t, number_of_place(key));
  if (t.broken || t.over) co_return false;
  asked = lives_.ask(t, s.now());
  auto inserted = co_await at(t.handle, key).insert_one(document(key, list));
  if (!inserted && inserted.error().code == Code::kDuplicateKey)
    ledger_.violation(fmt::format("transaction {} has deleted {}, and cannot insert it again: {}", t.id, full_name(key),
                                  inserted.error().text()));
  if (!heard(s, t, asked, inserted)) co_return false;
  t.deleted.erase(key);
  co_return true;
}

io::Task<void> Lists::act(TransactionSession& s, Tx& t) {
  Key key = some_key(s);
  switch (s.random.below(t.only_reads ? 5 : 12)) {
    case 0:
    case 1:
    case 2:
      co_return co_await read_one(s, t, key);
    case 3:
      co_return co_await read_all(s, t, number_of_place(key));
    case 4:
      co_return co_await count_all(s, t, number_of_place(key));
    case 5:
      co_return co_await act_at_once(s, t);
    default:
      co_return co_await append(s, t, key);
  }
}

/// Reads and appends of different lists, over whatever connections there are; the server takes them in turn.
io::Task<void> Lists::act_at_once(TransactionSession& s, Tx& t) {
  t.at_once = true;
  io::TaskGroup all(co_await io::this_executor());
  uint64_t first = s.random.below(keys_.size()), n = std::min<uint64_t>(keys_.size(), s.random.between(2, 4));
  for (uint64_t i = 0; i < n; ++i) {
    Key key = keys_[(first + i) % keys_.size()];
    all.spawn(s.random.below(2) == 0 ? read_one(s, t, key) : append(s, t, key));
  }
  co_await all.drained();
  t.at_once = false;
}

}  // namespace holdfast::chaos
