#include "sim/node.h"

#include "sim/incarnation.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr size_t kLogLines = 500;
constexpr uint64_t kCoresMax = 4;

}  // namespace

Node::Node(World& world, std::string name, uint16_t id)
    : world_(world),
      name_(std::move(name)),
      id_(id),
      streams_(std::make_unique<Streams>(world, name_)),
      disk_(std::make_unique<DiskModel>(world.plan().quota_bytes)) {
  world.trace().name_node(id, name_);
}

Node::~Node() {
  if (incarnation_) incarnation_->destroy(End::kProcessDeath);
}

void Node::start(Main main, StartOptions options) {
  start(options);
  incarnation_->run(std::move(main));
}

void Node::start(StartOptions options) {
  HF_ASSERT(!incarnation_, "a node runs one process at a time");
  HF_ASSERT(!world_.in_step(), "nodes are started between events");
  has_power_ = true;
  uint64_t drawn = streams_->start.between(1, kCoresMax);
  uint16_t cores = options.cores > 0 ? options.cores : static_cast<uint16_t>(drawn);
  world_.trace().event(world_.now(), id_, kNobody, EventKind::kStart, ++incarnations_, cores);
  incarnation_ = std::make_unique<Incarnation>(*this, incarnations_, cores);
}

io::Host& Node::host() {
  HF_ASSERT(incarnation_, "the node runs");
  return incarnation_->host();
}

io::Executor& Node::executor(CoreId core) { return host().cores.executor(core); }

void Node::kill(End how) {
  if (!incarnation_) {
    if (how == End::kPowerLoss) lose_power();
    return;
  }
  if (world_.in_step())
    doom(how);
  else
    end(how, -1);
}

void Node::hang_disk() {
  HF_ASSERT(incarnation_, "the node runs");
  world_.counts().hit(Fault::kHungDisk);
  incarnation_->disk().hang();
}

void Node::wake_disk() {
  HF_ASSERT(incarnation_, "the node runs");
  incarnation_->disk().wake();
}

void Node::end_hangs(Duration after, End how) {
  on_hang = [this, after, how] {
    world_.after(after, [this, how, life = incarnations_] {
      if (life == incarnations_) kill(how);
    });
  };
}

void Node::doom(End how, int exit_code) {
  if (doom_ || !incarnation_) return;
  doom_ = {how, exit_code};
  incarnation_->mark_dead();
  world_.doom(*this);
}

void Node::perform_doom() {
  if (!doom_ || !incarnation_) return;
  end(doom_->first, doom_->second);
}

void Node::end(End how, int exit_code) {
  doom_.reset();
  world_.trace().event(world_.now(), id_, kNobody, EventKind::kEnd, static_cast<uint64_t>(how),
                       static_cast<uint64_t>(static_cast<int64_t>(exit_code)));
  FaultCounts& counts = world_.counts();
  if (how == End::kExit) counts.hit(Fault::kExit);
  if (how == End::kProcessDeath) counts.hit(Fault::kProcessDeath);
  incarnation_->destroy(how);
  dead_.push_back(std::move(incarnation_));
  disk_->release_locks();
  if (how == End::kPowerLoss)
    lose_power();
  else if (streams_->evict.chance(world_.plan().evict))
    disk_->evict(counts);
  if (on_end) on_end(how, exit_code);
}

void Node::lose_power() {
  has_power_ = false;
  disk_->power_loss(loss_profile(), streams_->power_loss, world_.counts());
  world_.trace().event(world_.now(), id_, kNobody, EventKind::kPowerLoss, disk_->durable_digest(), 0);
}

LossProfile Node::loss_profile() const {
  const FaultPlan& plan = world_.plan();
  return {.torn = plan.torn, .garbage = plan.garbage, .ordered = plan.ordered != 0};
}

std::unique_ptr<DiskModel> Node::replace_disk(std::unique_ptr<DiskModel> disk) {
  HF_ASSERT(!incarnation_, "a disk is changed while the machine is off");
  std::swap(disk_, disk);
  return disk;
}

uint64_t Node::operations(IoKind kind) const {
  uint64_t n = 0;
  if (kind != IoKind::kNetwork) n += disk_operations_;
  if (kind != IoKind::kDisk) n += network_operations_;
  return n;
}

std::optional<Moment> Node::reach(IoKind kind) {
  ++(kind == IoKind::kNetwork ? network_operations_ : disk_operations_);
  if (!crash_) return std::nullopt;
  bool meant = crash_->kind == IoKind::kAny || crash_->kind == kind ||
               (crash_->kind == IoKind::kDisk && kind == IoKind::kSync);
  if (!meant || --crash_->operation > 0) return std::nullopt;
  Moment moment = crash_->moment;
  striking_ = crash_->how;
  crash_.reset();
  if (moment == Moment::kBefore) strike();
  return moment;
}

void Node::strike() { doom(striking_); }

void Node::add_log(std::string line) {
  if (world_.trace().on()) world_.trace().note("log " + name_ + " " + line);
  if (log_.size() == kLogLines) log_.pop_front();
  log_.push_back(std::move(line));
}

}  // namespace holdfast::sim
