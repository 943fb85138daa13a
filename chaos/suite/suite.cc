#include "chaos/suite/suite.h"

#include <array>

#include "chaos/suite/cursors.h"
#include "chaos/suite/durability.h"
#include "chaos/suite/flips.h"
#include "chaos/suite/hung_disk.h"
#include "chaos/suite/sealed_stream.h"
#include "chaos/suite/sessions.h"
#include "chaos/suite/wrong_disks.h"

namespace holdfast::chaos {
namespace {

constexpr std::array kSuites = {
    Suite{"durability-sync",
          "Sync mode: crashes of every kind at any point, and nothing acknowledged is lost or altered",
          run_durability_sync},
    Suite{"durability-async",
          "Async mode: what survives is a prefix, never shorter than the durable LSN that replies reported",
          run_durability_async},
    Suite{"updates",
          "Updates, deletes and upserts of many documents, through crashes and beside each other: all or nothing, and "
          "none is lost",
          run_updates},
    Suite{"transactions",
          "Transactions over lists, accounts and jobs, through crashes and against each other: snapshots, all or "
          "nothing, first committer wins",
          run_transactions},
    Suite{"encrypted",
          "Users log in over connections whose bytes change on their way, beside strangers: nothing garbled is "
          "believed, nobody else gets in",
          run_encrypted},
    Suite{"sealed-stream",
          "Sealed frames repeated, omitted, swapped, reflected and changed: given out in order up to the first harm, "
          "and nothing after",
          run_sealed_stream},
    Suite{"cursors",
          "Results read page by page: each stream is one snapshot, each page the same whenever it is asked for, over "
          "crashes, drops and full tables",
          run_cursors},
    Suite{"sessions",
          "Numbered requests sent again in every way, over resets and crashes: each executed once, answered alike, "
          "never when overtaken",
          run_sessions},
    Suite{"hung-disk", "A disk that stops answering under load: bounded memory, clear refusals, nothing lost",
          run_hung_disk},
    Suite{"bit-flips",
          "Each bit of a small directory flipped in turn: reported or harmless, never a wrong answer; verified and "
          "repaired",
          run_bit_flips},
    Suite{"bad-sectors",
          "Each sector of a small directory lost, misdirected, old or unreadable in turn: judged like flipped bits",
          run_bad_sectors},
    Suite{
        "wrong-disks",
        "Files gone, another node's, older or swapped, each in turn: refused by name or corrupt, never a wrong answer",
        run_wrong_disks},
};

}  // namespace

void conclude(sim::World& world, sim::Node& server, const Settings& settings, SeedResult& out) {
  out.simulated_seconds = static_cast<double>(world.now().ns) / 1e9;
  const sim::FaultCounts& faults = world.counts();
  out.counts["faults injected"] = faults.total();
  out.counts["faults struck"] = faults.struck();
  for (size_t f = 0; f < static_cast<size_t>(sim::Fault::kCount); ++f)
    if (uint64_t n = faults[static_cast<sim::Fault>(f)]) out.counts["fault: " + std::string(sim::name(static_cast<sim::Fault>(f)))] = n;
  for (const auto& [name, n] : world.record().probes()) out.probes[name] = n;
  out.misfits = settings.misfits();
  server.on_end = nullptr;
  server.kill(sim::End::kProcessDeath);
  out.hash = world.finish();
}

std::span<const Suite> suites() { return kSuites; }

const Suite* find_suite(std::string_view name) {
  for (const Suite& s : kSuites)
    if (s.name == name) return &s;
  return nullptr;
}

}  // namespace holdfast::chaos
