#include <gtest/gtest.h>

#include "tests/support/journal_image.h"

namespace holdfast::test {
namespace {

// Offsets: a segment's header takes block 0, the groups drawn here one block each: 4096, 8192, 12288 ...

std::string decide(std::string_view drawing) { return JournalImage(drawing).decision(); }

TEST(JournalChain, FollowsGroupsAcrossSegments) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3]\n"
                   "2: [6-6 d5] [7-9 d6]"),
            "log 1-3 4-5 6-6 | 7-9; last 9, proof 6");
}

TEST(JournalChain, OfNothingIsEmpty) {
  EXPECT_EQ(decide(""), "log; last 0, proof 0");
  EXPECT_EQ(decide("1:"), "log; last 0, proof 0; unused 1");
}

TEST(JournalChain, ACleanSealProvesEverythingAndEndsTheLog) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3] [seal d5 clean]"), "log 1-3 4-5 | seal; last 5, proof 5; clean");
}

TEST(JournalChain, ASealAmongProvenGroupsIsProven) {
  EXPECT_EQ(decide("1: [1-3] [seal d3] [4-4 d3] [5-5 d4]"), "log 1-3 seal 4-4 | 5-5; last 5, proof 4");
}

TEST(JournalChain, CutsATornGroupThatNothingProves) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !payload]"), "log 1-3; last 3, proof 3; cut 1@8192");
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !header]"), "log | 1-3; last 3, proof 0; cut 1@8192");
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !padding]"), "log 1-3; last 3, proof 3; cut 1@8192");
}

TEST(JournalChain, DoesNotSkipOverATornGroup) {
  EXPECT_EQ(decide("1: [1-3] [4-5 !payload] [6-6]"), "log | 1-3; last 3, proof 0; cut 1@8192");
  EXPECT_EQ(decide("1: [1-3] [4-5 !zero] [6-6]"), "log | 1-3; last 3, proof 0; cut 1@8192");
}

TEST(JournalChain, DoesNotGoOnInTheNextSegmentAfterATornEnd) {
  EXPECT_EQ(decide("1: [1-3] [4-5 !zero]\n"
                   "2: [6-6]"),
            "log | 1-3; last 3, proof 0; cut 2@4096");
  EXPECT_EQ(decide("1: [1-3] [4-5 !payload]\n"
                   "2: [6-6]"),
            "log | 1-3; last 3, proof 0; cut 1@8192; cut 2@4096");
}

TEST(JournalChain, ALaterValidGroupIsNoProof) {
  // Group 6-6 is whole and says that 3 was durable: 4-5 may have been lost.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !zero] [6-6 d3]"), "log 1-3; last 3, proof 3; cut 1@8192");
}

TEST(JournalChain, AHeaderBeyondTheBreakProvesWhatWasDurable) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !entry-header] [6-6 d5]"),
            "log 1-3; last 3, proof 5; cut 1@8192; damaged 1@8192 below its header lost 4-5");
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !header] [6-6 d5]"),
            "log 1-3; last 3, proof 5; cut 1@8192; damaged 1@8192 lost 4-5");
  // Also when the proving group itself lost its entries.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !zero] [6-6 d5 !payload]"),
            "log 1-3; last 3, proof 5; cut 1@8192; damaged 1@8192 lost 4-5");
}

TEST(JournalChain, ASealProtectsTheLastGroup) {
  EXPECT_EQ(decide("1: [1-3 !entry-header] [seal d3]"),
            "log; last 0, proof 3; cut 1@4096; damaged 1@4096 below its header lost 1-3");
}

TEST(JournalChain, GoesOnOverDamageThatIsKnownByName) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !payload] [6-6 d5]"), "log 1-3 4-5 | 6-6; last 6, proof 5; condemned 4-5");
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !padding] [6-6 d5]"), "log 1-3 4-5 | 6-6; last 6, proof 5; condemned 4-5");
  EXPECT_EQ(decide("1: [1-3 !payload] [seal d3]"), "log 1-3 | seal; last 3, proof 3; condemned 1-3");
  EXPECT_EQ(decide("1: [1-3]\n"
                   "2: [4-5 d3 !payload] [seal d5 clean]"),
            "log 1-3 4-5 | seal; last 5, proof 5; clean; condemned 4-5");
}

TEST(JournalChain, WhatTheProofDoesNotReachIsCutEvenWhenItsHeadersAreGood) {
  // 4-5 was durable, 6-7 not known to be.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !payload] [6-7 d5 !payload]"),
            "log 1-3 4-5; last 5, proof 5; condemned 4-5; cut 1@12288");
}

TEST(JournalChain, ATornGroupOfAnOlderLifeIsNotTakenForTheDamagedOneOfANewer) {
  // Life 1 lost 4-5 in a tear; life 2 wrote other entries under those LSNs, and their header is damaged now. That 5 was durable is true of
  // life 2's alone.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !payload]\n"
                   "3: <3 [4-5 d3 !header] [6-6 d5]"),
            "log 1-3; last 3, proof 5; cut 1@8192; cut 3@4096; damaged 3@4096 lost 4-5");
}

TEST(JournalChain, ADamagedGroupOfANewerLifeSupersedesAnOlderOne) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !payload]\n"
                   "3: <3 [4-5 d3 !payload] [6-6 d5]"),
            "log 1-3 4-5 | 6-6; last 6, proof 5; condemned 4-5");
}

TEST(JournalChain, DamageAtTheStartOfASegmentIsFoundThere) {
  EXPECT_EQ(decide("1: [1-3]\n"
                   "2: [4-5 d3 !header] [6-6 d5]"),
            "log 1-3; last 3, proof 5; cut 2@4096; damaged 2@4096 lost 4-5");
}

TEST(JournalChain, GoesOnBehindADamagedSeal) {
  EXPECT_EQ(decide("1: [1-3] [seal d3 !header] [4-4 d3] [5-5 d4]"), "log 1-3 4-4 | 5-5; last 5, proof 4; lost seal 1@8192");
  // Nothing proves 4-4 here, so it may be what a tear left.
  EXPECT_EQ(decide("1: [1-3] [seal d3 !header] [4-4 d3]"), "log 1-3; last 3, proof 3; cut 1@8192");
  // An entry is missing: that was no seal.
  EXPECT_EQ(decide("1: [1-3] [4-4 d3 !header] [5-5 d4] [6-6 d5]"),
            "log 1-3; last 3, proof 5; cut 1@8192; damaged 1@8192 lost 4-5");
}

TEST(JournalChain, AVanishedSegmentIsDamageWhenProven) {
  JournalImage image("1: [1-3]\n2: [4-5 d3]\n3: [6-6 d5]");
  image.files().erase(SegmentSeq(2));
  EXPECT_EQ(image.decision(), "log 1-3; last 3, proof 5; cut 3@4096; damaged 3@4096 lost 4-5");
}

TEST(JournalChain, ASegmentThatIsNamedMustBeThere) {
  JournalImage image("1: [1-3]\n2 after 1: [4-5 d3]\n3 after 2:");
  EXPECT_EQ(image.decision(), "log 1-3 | 4-5; last 5, proof 3; unused 3");
  image.files().erase(SegmentSeq(2));
  EXPECT_EQ(image.decision(), "log | 1-3; last 3, proof 0; unused 3; segment 2 is lost, named by 3");
}

TEST(JournalChain, ASegmentAsItWasEarlierIsWhereTheLogBreaks) {
  JournalImage image("1: [1-3]\n2 after 1: [4-5 d3] [6-6 d5]\n3 after 2: [7-7 d6]");
  Buffer& file = image.files().at(SegmentSeq(2));
  file.replace(2 * core::kJournalBlock, core::kJournalBlock, Buffer(core::kJournalBlock, '\0'));
  EXPECT_EQ(image.decision(), "log 1-3 4-5; last 5, proof 6; cut 3@4096; damaged 2@8192 lost 6-6");
  file.replace(core::kJournalBlock, core::kJournalBlock, Buffer(core::kJournalBlock, '\0'));
  EXPECT_EQ(image.decision(), "log 1-3; last 3, proof 6; cut 3@4096; unused 2; damaged 2@4096 lost 4-6");
}

TEST(JournalChain, OnlyWhatTheNewestSegmentLeadsToMustBeThere) {
  // 2 and 3 were never used and removed by the next life, which made 4; the removal of 3 did not last.
  JournalImage image("1: [1-3]\n3 after 2:\n4 after 1: [4-4 d3]");
  EXPECT_EQ(image.decision(), "log 1-3 | 4-4; last 4, proof 3");
  // Below the base nothing is asked for.
  JournalImage old("1: [1-3]\n2 after 1: [4-4 d3] [5-5 d4]\n3 after 2:");
  old.set_base(Lsn(4));
  old.files().erase(SegmentSeq(1));
  EXPECT_EQ(old.decision(), "log | 5-5; last 5, proof 4; unused 3");
}

TEST(JournalChain, ABaseThatItsSegmentHasNotReachedIsALostSegment) {
  JournalImage image("1: [1-3] [4-4 d3] [5-5 d4]");
  image.set_base(Lsn(5));
  EXPECT_EQ(image.decision(), "log; last 5, proof 5");
  Buffer& file = image.files().at(SegmentSeq(1));
  Buffer whole = file;
  file.replace(3 * core::kJournalBlock, core::kJournalBlock, Buffer(core::kJournalBlock, '\0'));
  EXPECT_EQ(image.decision(), "log; last 5, proof 5; segment 1 is lost, named by 0");
  // A group that is damaged was there.
  file = whole;
  file[3 * core::kJournalBlock + 70] ^= 1;
  EXPECT_EQ(image.decision(), "log; last 5, proof 5");
}

TEST(JournalChain, TheCopyOfAnUnprovenEndSupersedesIt) {
  EXPECT_EQ(decide("1: [1-3] [4-5 d3] [6-6 d3]\n"
                   "3: <3 [4-5 d3] [6-6 d3]"),
            "log 1-3 | 4-5 6-6; last 6, proof 3");
}

TEST(JournalChain, WhatIsSupersededIsNeitherCutNorDamage) {
  // Life 1 wrote 4-5 and lost 6-6; life 2 copied 4-5 to segment 3 and went on otherwise.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3] [6-6 d3 !payload] [7-9 d3]\n"
                   "3: <3 [4-5 d3] [6-8 d5]"),
            "log 1-3 4-5 | 6-8; last 8, proof 5");
}

TEST(JournalChain, ANewLifeGoesOnFromBeforeTheSealsAtTheEnd) {
  EXPECT_EQ(decide("1: [1-3] [seal d3] [seal d3 clean]\n"
                   "3: <3 [4-4 d3]"),
            "log 1-3 | 4-4; last 4, proof 3");
}

TEST(JournalChain, ATornGroupSupersedesNothing) {
  EXPECT_EQ(decide("1: [1-3] [seal d3 clean]\n"
                   "3: <3 [4-4 d3 !payload]"),
            "log 1-3 | seal; last 3, proof 3; cut 3@4096");
}

TEST(JournalChain, TheTailOfAnOlderLifeDoesNotComeBack) {
  // Segment 2 goes on from what life 1 had after its lost group; life 2 reached the same LSN with other entries.
  EXPECT_EQ(decide("1: [1-3] [4-5 d3 !zero]\n"
                   "2: [6-7 d3]\n"
                   "4: <3 [4-4 d3] [5-5 d4]"),
            "log 1-3 4-4 | 5-5; last 5, proof 4");
}

TEST(JournalChain, AGroupOfAnotherHistoryDoesNotLink) {
  // The LSN fits, the hash does not: 4-5 as it stands here is not what 6-6 followed.
  JournalImage other("1: [1-3 wide] [4-5]\n2: [6-6]");
  JournalImage image("1: [1-3] [4-5]");
  image.files()[SegmentSeq(2)] = other.files()[SegmentSeq(2)];
  EXPECT_EQ(image.decision(), "log | 1-3 4-5; last 5, proof 0; cut 2@4096");
}

TEST(JournalChain, StartsAtTheBase) {
  JournalImage image("1: [1-3] [4-5 d3]\n2: [6-6 d5] [7-7 d6]");
  image.set_base(Lsn(5));
  EXPECT_EQ(image.decision(), "log 6-6 | 7-7; last 7, proof 6");
  image.set_base(Lsn(7));
  EXPECT_EQ(image.decision(), "log; last 7, proof 7");
}

TEST(JournalChain, TheBaseIsProof) {
  JournalImage image("1: [1-3] [4-5]\n2: [6-6 !payload]");
  image.set_base(Lsn(5));
  EXPECT_EQ(image.decision(), "log; last 5, proof 5; cut 2@4096");
}

TEST(JournalChain, DamageBelowTheBaseDoesNotMatter) {
  JournalImage image("1: [1-3 !payload] [4-5 d3] [6-6 d5]");
  image.set_base(Lsn(5));
  EXPECT_EQ(image.decision(), "log | 6-6; last 6, proof 5");
}

TEST(JournalChain, ANewLifeMaySupersedeFromTheBaseOn) {
  JournalImage image("1: [1-3] [4-5 d3] [6-6 d5]\n3: <5 [6-7 d5]");
  image.set_base(Lsn(5));
  EXPECT_EQ(image.decision(), "log | 6-7; last 7, proof 5");
}

TEST(JournalChain, BytesAfterACleanSealAreToldAndHarmNothing) {
  JournalImage image("1: [1-3] [seal d3 clean]");
  image.files()[SegmentSeq(1)][5 * core::kJournalBlock + 17] = 1;
  EXPECT_EQ(image.decision(), "log 1-3 | seal; last 3, proof 3; cut 1@12288");
}

}  // namespace
}  // namespace holdfast::test
