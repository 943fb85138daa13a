// One image of a cut-off server's disk: written out, started on, looked at.
#pragma once

#include "chaos/runner/real/recording.h"

namespace holdfast::chaos {

struct PowerImage {
  uint64_t number;
  Time at;                               ///< when the power went
  std::string what;                      ///< the moment, for people
  std::unique_ptr<sim::DiskModel> disk;  ///< as the cut left it
  std::string directory;                 ///< to be made
};

struct ImageFigures {
  uint64_t images = 0, verified = 0;
  uint64_t cut_again = 0;  ///< of the images: once more while the server recovered from the first cut
  uint64_t demanded = 0;   ///< acknowledged before the cut, summed over the images
  sim::FaultCounts faults;
  std::vector<double> startups;  ///< seconds until ready

  void add(const ImageFigures& part);
  std::string text() const;
};

/// Looks at the images of one recording, several at a time. Belongs to one core.
class ImageCheck {
 public:
  ImageCheck(io::Host& host, const RealOptions& options, const Recording& recording, Rng random)
      : host_(host), options_(options), recording_(recording), random_(random) {}

  /// Cuts the power of a disk, as kindly or unkindly as is drawn.
  void lose_power(sim::DiskModel& disk, Rng& random, sim::Stream& stream);

  /// What is wrong, as one text; the directory then stays, with a copy of the disk as the cut left it.
  io::Task<std::vector<std::string>> run(PowerImage& image);

  const ImageFigures& figures() const { return figures_; }

 private:
  using Wrong = std::vector<std::string>;
  using There = std::map<DocumentName, DocumentState>;
  io::Task<void> cut_again(PowerImage& image, Wrong& wrong);
  io::Task<void> look(ServerProcess& server, const PowerImage& image, Wrong& wrong);
  io::Task<void> read_all(client::Client& client, const ScribedCollection& from, There& there, Wrong& wrong);
  io::Task<void> read_some(client::Client& client, const PowerImage& image, const There& there, Wrong& wrong);
  io::Task<void> verify(const PowerImage& image, Wrong& wrong);

  io::Host& host_;
  const RealOptions& options_;
  const Recording& recording_;
  Rng random_;
  ImageFigures figures_;
};

}  // namespace holdfast::chaos
