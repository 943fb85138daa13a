#include "io/real/reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>

namespace holdfast::real {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// Room for the one asynchronous wait that a descriptor has under way per direction, so that waiting allocates nothing.
class OpMemory {
 public:
  void* allocate(size_t size) {
    if (used_ || size > sizeof bytes_) return ::operator new(size);
    used_ = true;
    return bytes_;
  }
  void deallocate(void* p) {
    if (p == bytes_)
      used_ = false;
    else
      ::operator delete(p);
  }

 private:
  alignas(std::max_align_t) char bytes_[160];
  bool used_ = false;
};

// Hands asio that room. The handler, which asio moves out before it frees the room, keeps the room's owner alive.
template <class T>
struct OpAllocator {
  using value_type = T;
  OpMemory* memory;

  explicit OpAllocator(OpMemory& m) : memory(&m) {}
  template <class U>
  OpAllocator(const OpAllocator<U>& o) : memory(o.memory) {}
  T* allocate(size_t n) { return static_cast<T*>(memory->allocate(n * sizeof(T))); }
  void deallocate(T* p, size_t) { memory->deallocate(p); }
  template <class U>
  bool operator==(const OpAllocator<U>& o) const {
    return memory == o.memory;
  }
};

}  // namespace

struct Reactor::Impl {
  // One thread only: no locks in asio. Whoever else wants something writes to the eventfd.
  asio::io_context context{ASIO_CONCURRENCY_HINT_UNSAFE};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  Descriptor waker{context};
  int wake_fd = -1;

  void await_wake() {
    waker.async_wait(Descriptor::wait_read, [this](asio::error_code ec) {
      if (ec) return;
      uint64_t count;
      (void)!::read(wake_fd, &count, sizeof count);
      await_wake();
    });
  }
};

Reactor::Reactor() : impl_(std::make_unique<Impl>()) {
  impl_->wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  HF_ASSERT(impl_->wake_fd >= 0, "a process can make one eventfd per core");
  asio::error_code ec;
  impl_->waker.assign(impl_->wake_fd, ec);
  HF_ASSERT(!ec, "an eventfd can be polled");
  impl_->await_wake();
}

Reactor::~Reactor() = default;

void Reactor::poll() { impl_->context.poll(); }

void Reactor::wait(Duration at_most) {
  impl_->context.run_one_for(std::chrono::nanoseconds(at_most.ns));
  impl_->context.poll();
}

void Reactor::wake() {
  uint64_t one = 1;
  (void)!::write(impl_->wake_fd, &one, sizeof one);
}

struct Readiness::State {
  explicit State(asio::io_context& context) : descriptor(context) {}
  Descriptor descriptor;
  io::WaitList waiters[2];
  bool under_way[2] = {};
  OpMemory memory[2];

  struct Handler {
    using allocator_type = OpAllocator<void>;
    std::shared_ptr<State> state;
    size_t direction;
    allocator_type get_allocator() const { return allocator_type(state->memory[direction]); }
    void operator()(asio::error_code) const {
      state->under_way[direction] = false;
      state->waiters[direction].notify_all();
    }
  };
};

Readiness::Readiness(Reactor& reactor, int fd) : reactor_(reactor), fd_(fd) {}

Readiness::Readiness(Readiness&& other) noexcept
    : reactor_(other.reactor_), fd_(std::exchange(other.fd_, -1)), state_(std::move(other.state_)) {}

Readiness::~Readiness() { close(); }

void Readiness::close() {
  if (closed()) return;
  if (!state_) {
    ::close(fd_);
  } else {
    asio::error_code ignored;
    state_->descriptor.close(ignored);  // ends the waits under way, whose handlers hold the state
    for (io::WaitList& list : state_->waiters) list.notify_all();
  }
  fd_ = -1;
}

io::WaitList::Awaiter Readiness::ready(Direction direction, Time deadline) {
  HF_ASSERT(!closed(), "nobody waits for what is closed");
  if (!state_) {
    state_ = std::make_shared<State>(reactor_.impl_->context);
    asio::error_code ec;
    state_->descriptor.assign(fd_, ec);
    HF_ASSERT(!ec, "a socket can be polled");
  }
  auto d = static_cast<size_t>(direction);
  if (!std::exchange(state_->under_way[d], true))
    state_->descriptor.async_wait(direction == Direction::kRead ? Descriptor::wait_read : Descriptor::wait_write,
                                  State::Handler{state_, d});
  return state_->waiters[d].wait(deadline);
}

}  // namespace holdfast::real
