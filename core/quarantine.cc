#include "core/quarantine.h"

#include <fmt/core.h>

#include "io/base/probe.h"

namespace holdfast::core {
namespace {

std::unexpected<Error> damaged(const QuarantinedDocument& mark, std::string_view whose) {
  return fail(Code::kCorrupt,
              fmt::format("{} was changed by LSN {}, and that change is damaged on disk (id hash {:016x}): restore it from a backup, or give the "
                          "change up with holdfastd repair --accept-loss",
                          whose, mark.lsn.value, mark.touched.id_hash));
}

}  // namespace

void Quarantine::add(const QuarantinedDocument& mark) {
  QuarantinedDocument& at = marks_[{mark.touched.collection, mark.touched.id_hash}];
  if (at.lsn <= mark.lsn) at = mark;
}

Result<> Quarantine::check(CollectionId collection, Bytes key) const {
  if (marks_.empty()) return {};
  auto mark = marks_.find({collection, id_hash(collection, key)});
  if (mark == marks_.end() || MUTANT("quarantine-misses-reads")) return {};
  return damaged(mark->second, "this document");
}

Result<> Quarantine::check(CollectionId collection) const {
  auto mark = marks_.lower_bound({collection, 0});
  if (mark == marks_.end() || mark->first.first != collection || MUTANT("quarantine-misses-scans")) return {};
  return damaged(mark->second, "a document of this collection");
}

void Quarantine::superseded(CollectionId collection, Bytes key) {
  if (!marks_.empty()) marks_.erase({collection, id_hash(collection, key)});
}

void Quarantine::drop(CollectionId collection) {
  std::erase_if(marks_, [&](const auto& mark) { return mark.first.first == collection; });
}

std::vector<QuarantinedDocument> Quarantine::list() const {
  std::vector<QuarantinedDocument> out;
  for (const auto& [place, mark] : marks_) out.push_back(mark);
  return out;
}

}  // namespace holdfast::core
