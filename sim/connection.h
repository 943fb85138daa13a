// SimConnection: one end of a link as an io::Connection, and its two operations. Internal to the simulator.
#pragma once

#include <memory>
#include <string>

#include "io/network.h"
#include "sim/link.h"
#include "sim/operation.h"

namespace holdfast::sim {

class World;

/// A read or write of one end. It waits in the end until something changes, then completes by an event of its own.
class ConnectionOperation : public Operation {
 public:
  ConnectionOperation(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}
  /// Something changed: look again, a little later.
  void wake();

 protected:
  LinkEnd& end() { return link_->ends[side_]; }
  Incarnation& host() { return *end().owner; }
  World& world();
  Link& link() { return *link_; }
  int side() const { return side_; }
  virtual bool can_go_on() = 0;
  void finish() {
    done_ = true;
    complete();
  }

  void begin() override;
  /// Whether a crash planned at this operation strikes as soon as it begins: a read may wait for ever.
  virtual bool crashes_at_once() const { return crash_ == Moment::kBefore; }
  void trace(EventKind kind, uint64_t digest);
  std::optional<Moment> crash_;

 private:
  std::shared_ptr<Link> link_;
  int side_;
  bool done_ = false;  // or struck by a crash
};

class ReadOperation final : public ConnectionOperation {
 public:
  ReadOperation(std::shared_ptr<Link> link, int side, MutableBytes out);
  ~ReadOperation() override { end().reader = nullptr; }
  Result<size_t> result;

 private:
  bool crashes_at_once() const override { return crash_.has_value(); }
  bool can_go_on() override { return end().closed || end().broken || end().in.arrived() > 0 || end().in.ended(); }
  void happen() override;
  MutableBytes out_;
};

class WriteOperation final : public ConnectionOperation {
 public:
  WriteOperation(std::shared_ptr<Link> link, int side, Bytes data);
  ~WriteOperation() override { end().writer = nullptr; }
  Result<> result;

 private:
  Pipe& out() { return link().other(side()).in; }
  size_t room();
  bool can_go_on() override { return end().closed || end().broken || rest_.empty() || room() > 0; }
  void happen() override;
  void hand_over(size_t n);
  Bytes rest_;
};

class SimConnection final : public io::Connection {
 public:
  SimConnection(std::shared_ptr<Link> link, int side, CoreId core) : link_(std::move(link)), side_(side), core_(core) {}
  ~SimConnection() override { close(); }

  io::Task<Result<size_t>> read_some(MutableBytes out) override {
    HF_ASSERT((co_await io::this_executor()).core() == core_, "a connection is used on its core");
    ReadOperation op(link_, side_, out);
    co_await op;
    co_return std::move(op.result);
  }
  io::Task<Result<>> write_all(Bytes data) override {
    HF_ASSERT((co_await io::this_executor()).core() == core_, "a connection is used on its core");
    WriteOperation op(link_, side_, data);
    co_await op;
    co_return std::move(op.result);
  }
  void close() override;
  std::string peer() const override { return link_->ends[side_].peer; }
  bool peer_is_local() const override;

 private:
  std::shared_ptr<Link> link_;
  int side_;
  CoreId core_;
};

}  // namespace holdfast::sim
