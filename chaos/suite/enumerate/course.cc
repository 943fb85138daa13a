#include "chaos/suite/enumerate/course.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "io/base/hash.h"

namespace holdfast::chaos {

size_t Course::ask(Step step) {
  asked_.push_back({std::move(step), std::nullopt, false});
  return asked_.size() - 1;
}

void Course::told(size_t index, bool changed, Lsn lsn, Lsn durable) {
  asked_[index].lsn = lsn;
  asked_[index].changed = changed;
  acknowledged_ = std::max(acknowledged_, lsn);
  durable_ = std::max(durable_, durable);
}

uint64_t Course::digest() const {
  uint64_t words[] = {asked_.size(), opened_ ? opened_->value + 1 : 0, acknowledged_.value, durable_.value};
  return xxh3_64(Bytes(reinterpret_cast<const char*>(words), sizeof words));
}

Result<> History::extend(const Course& course) {
  Lsn from = course.opened().value_or(Lsn());
  if (from > last()) return fail(Code::kInternal, fmt::format("it opened at LSN {}, which never was", from.value));
  states_.resize(from.value + 1);
  std::vector<const Course::Asked*> entries;
  for (const Course::Asked& a : course.asked()) {
    if (!a.lsn) return fail(Code::kInternal, "a step of the rehearsal was never answered");
    if (a.changed) entries.push_back(&a);
  }
  std::ranges::sort(entries, {}, [](const Course::Asked* a) { return *a->lsn; });
  for (const Course::Asked* a : entries) {
    const Step& s = a->step;
    Contents next = states_.back();
    // The first write to a collection makes it, by an entry of its own.
    if (last().value + 2 == a->lsn->value && !next.find(s.database, s.collection)) {
      next.create(s.database, s.collection);
      states_.push_back(next);
    }
    if (last().next() != *a->lsn)
      return fail(Code::kInternal, fmt::format("a step got LSN {} after LSN {}", a->lsn->value, last().value));
    HF_CHECK_OK(apply(s, next));
    states_.push_back(std::move(next));
  }
  return {};
}

Result<> History::apply(const Step& s, Contents& contents) {
  if (s.kind == Step::Kind::kCreate) {
    contents.create(s.database, s.collection);
    return {};
  }
  StoredCollection* c = contents.find(s.database, s.collection);
  if (!c) return fail(Code::kInternal, "a step changes a collection that is not there");
  if (s.kind == Step::Kind::kDrop) contents.databases[s.database].erase(s.collection);
  for (const auto& [key, value] : s.documents) {
    if (s.kind == Step::Kind::kPut) (*c)[key] = {value, 0};
    if (s.kind == Step::Kind::kUpdate) (*c)[key] = {value, (*c)[key].updates + 1};
    if (s.kind == Step::Kind::kDelete) c->erase(key);
  }
  for (const Step& more : s.together) HF_CHECK_OK(apply(more, contents));
  return {};
}

const Contents* History::at(Lsn lsn) const { return lsn.value < states_.size() ? &states_[lsn.value] : nullptr; }

std::vector<std::string> History::keys() const {
  std::set<std::string> all;
  for (const Contents& state : states_)
    for (const auto& [database, collections] : state.databases)
      for (const auto& [name, documents] : collections)
        for (const auto& [key, document] : documents) all.insert(key);
  return {all.begin(), all.end()};
}

}  // namespace holdfast::chaos
