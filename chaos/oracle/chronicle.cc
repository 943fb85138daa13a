#include "chaos/oracle/chronicle.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::chaos {

Chronicle::ChangeId Chronicle::asked(Time at, const DocumentName& document, const DocumentState& after, uint64_t batch) {
  ChangeId id = changes_.size();
  std::vector<ChangeId>& all = documents_[document];
  HF_ASSERT(all.empty() || changes_[all.back()].fate != Fate::kUnknown, "a writer leaves a document alone whose last change was not answered");
  changes_.push_back({.asked = at, .after = after, .batch = batch});
  all.push_back(id);
  return id;
}

void Chronicle::done(ChangeId id, Time at, Lsn lsn, Lsn durable) {
  Change& c = changes_[id];
  c.fate = Fate::kDone;
  c.told = at;
  c.lsn = lsn;
  c.durable = durable;
  ++acknowledged_;
}

void Chronicle::refused(ChangeId id) { changes_[id].fate = Fate::kRefused; }

uint64_t Chronicle::acknowledged_before(Time cut) const {
  return static_cast<uint64_t>(std::ranges::count_if(changes_, [&](const Change& c) { return c.told < cut; }));
}

Chronicle::Floor Chronicle::floor_of(Time cut) const {
  Floor floor;
  for (const Change& c : changes_) {
    if (c.told >= cut) continue;
    if (c.durable > floor.lsn) floor = {c.durable, "was reported durable"};
    if (mode_.sync && c.lsn > floor.lsn) floor = {c.lsn, "was acknowledged"};
  }
  return floor;
}

std::vector<std::string> Chronicle::judge(Time cut, Lsn recovered, const std::map<DocumentName, DocumentState>& there) const {
  std::vector<std::string> out;
  if (Floor floor = floor_of(cut); recovered < floor.lsn)
    out.push_back(fmt::format("LSN {} {} before the cut, but the server came back with {} only", floor.lsn.value, floor.why, recovered.value));
  struct Seen {
    size_t there = 0, missing = 0;
  };
  std::map<uint64_t, Seen> batches;  // of those without an answer
  for (const auto& [document, ids] : documents_) {
    DocumentState before;  // certainly, unless the last change may have happened
    const Change* maybe = nullptr;
    uint64_t asked = 0;
    for (ChangeId id : ids) {
      const Change& c = changes_[id];
      if (c.asked >= cut) break;
      ++asked;
      if (c.fate == Fate::kDone && c.lsn <= recovered) before = c.after;
      if (c.fate == Fate::kUnknown) maybe = &c;
    }
    auto at = there.find(document);
    DocumentState is = at == there.end() ? DocumentState{} : at->second;
    bool as_maybe = maybe && is == maybe->after;
    if (maybe && maybe->batch != 0) ++(as_maybe ? batches[maybe->batch].there : batches[maybe->batch].missing);
    if (is == before || as_maybe) continue;
    if (asked == 0) {
      out.push_back(fmt::format("{} is there, {}, before anybody asked for it", document, text(is)));
      continue;
    }
    std::string last = maybe ? "never answered" : fmt::format("at LSN {}, and the server came back with {}", changes_[ids[asked - 1]].lsn.value, recovered.value);
    out.push_back(fmt::format("{} is {}, but must be {}{}: of its {} changes asked for before the cut, the last was {}", document, text(is), text(before),
                              maybe ? " or " + text(maybe->after) : "", asked, last));
  }
  for (const auto& [batch, seen] : batches)
    if (seen.there > 0 && seen.missing > 0)
      out.push_back(fmt::format("of batch {} there are {} documents, and {} are not", batch, seen.there, seen.missing));
  for (const auto& [document, state] : there)
    if (!documents_.contains(document)) out.push_back(fmt::format("{} is there, {}, which nobody ever wrote", document, text(state)));
  return out;
}

}  // namespace holdfast::chaos
