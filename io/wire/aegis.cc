#include "io/wire/aegis.h"

#include "io/base/probe.h"

#if defined(__x86_64__)
#include <wmmintrin.h>
// Instructions for AES may be used in these functions. On a machine without them only the portable form runs, in which
// the compiler has no use for them.
#define HF_AES __attribute__((target("aes")))
#else
#define HF_AES
#endif

namespace holdfast::wire {
namespace {

using Block = long long __attribute__((vector_size(16)));
using Octets = unsigned char __attribute__((vector_size(16)));
using SignedOctets = signed char __attribute__((vector_size(16)));

// --- One round of AES, portable: arithmetic in GF(2^8) on sixteen octets at once.

Octets top_bit(Octets a) { return reinterpret_cast<Octets>(reinterpret_cast<SignedOctets>(a) < 0); }

Octets octets(unsigned char c) { return Octets{} + c; }

Octets times_x(Octets a) { return (a + a) ^ (top_bit(a) & octets(0x1b)); }

Octets product(Octets a, Octets b) {
  Octets sum{};
  for (int i = 0; i < 8; ++i) {
    sum = times_x(sum) ^ (top_bit(b) & a);
    b += b;
  }
  return sum;
}

constexpr unsigned char times_x(unsigned char a) { return static_cast<unsigned char>((a << 1) ^ ((a >> 7) * 0x1b)); }

/// A linear map, by the images of the bits from the highest down.
struct Linear {
  unsigned char image[8];
  Octets operator()(Octets a) const {
    Octets sum{};
    for (unsigned char i : image) {
      sum ^= top_bit(a) & octets(i);
      a += a;
    }
    return sum;
  }
};

/// Squaring: x^i becomes x^2i.
constexpr Linear kSquare = [] {
  Linear out{};
  unsigned char power = 1;
  for (int bit = 0; bit < 8; ++bit, power = times_x(times_x(power))) out.image[7 - bit] = power;
  return out;
}();

/// The linear part of the S-box (FIPS 197, 5.1.1): bit i goes to bits i to i + 4, around.
constexpr Linear kSpread = [] {
  Linear out{};
  for (int bit = 0; bit < 8; ++bit) {
    unsigned image = 0x1fu << bit;
    out.image[7 - bit] = static_cast<unsigned char>(image | image >> 8);
  }
  return out;
}();

/// The S-box: the inverse, a^254, and an affine map.
Octets substitute(Octets a) {
  Octets a2 = kSquare(a);
  Octets a3 = product(a2, a);
  Octets a12 = kSquare(kSquare(a3));
  Octets a15 = product(a12, a3);
  Octets a240 = kSquare(kSquare(kSquare(kSquare(a15))));
  return kSpread(product(product(a240, a12), a2)) ^ octets(0x63);
}

struct Portable {
  static Block round(Block state, Block key) {
    Octets s = substitute(reinterpret_cast<Octets>(state));
    s = __builtin_shufflevector(s, s, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
    Octets below1 = __builtin_shufflevector(s, s, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
    Octets below2 = __builtin_shufflevector(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    Octets below3 = __builtin_shufflevector(s, s, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
    return reinterpret_cast<Block>(times_x(s ^ below1) ^ below1 ^ below2 ^ below3) ^ key;
  }
};

#if defined(__x86_64__)
struct Instructions {
  HF_AES static Block round(Block state, Block key) { return _mm_aesenc_si128(state, key); }
};
#else
using Instructions = Portable;
#endif

// --- AEGIS-128L. The names are the draft's.

HF_AES inline Block load(const char* p) {
  Block b;
  std::memcpy(&b, p, sizeof b);
  return b;
}
HF_AES inline void store(char* p, Block b) { std::memcpy(p, &b, sizeof b); }

constexpr unsigned char kC0[16] = {0x00, 0x01, 0x01, 0x02, 0x03, 0x05, 0x08, 0x0d,
                                   0x15, 0x22, 0x37, 0x59, 0x90, 0xe9, 0x79, 0x62};
constexpr unsigned char kC1[16] = {0xdb, 0x3d, 0x18, 0x55, 0x6d, 0xc2, 0x2f, 0xf1,
                                   0x20, 0x11, 0x31, 0x42, 0x73, 0xb5, 0x28, 0xdd};
constexpr size_t kStep = 32;

template <class Aes>
struct State {
  Block s[8];

  HF_AES State(Bytes key, Bytes nonce) {
    Block k = load(key.data()), n = load(nonce.data());
    Block c0 = load(reinterpret_cast<const char*>(kC0)), c1 = load(reinterpret_cast<const char*>(kC1));
    s[0] = k ^ n;
    s[1] = s[3] = c1;
    s[2] = c0;
    s[4] = k ^ n;
    s[5] = s[7] = k ^ c0;
    s[6] = k ^ c1;
    for (int i = 0; i < 10; ++i) update(n, k);
  }

  HF_AES void update(Block m0, Block m1) {
    Block last = s[7];
    s[7] = Aes::round(s[6], s[7]);
    s[6] = Aes::round(s[5], s[6]);
    s[5] = Aes::round(s[4], s[5]);
    s[4] = Aes::round(s[3], s[4] ^ m1);
    s[3] = Aes::round(s[2], s[3]);
    s[2] = Aes::round(s[1], s[2]);
    s[1] = Aes::round(s[0], s[1]);
    s[0] = Aes::round(last, s[0] ^ m0);
  }
  HF_AES Block z0() const { return s[6] ^ s[1] ^ (s[2] & s[3]); }
  HF_AES Block z1() const { return s[2] ^ s[5] ^ (s[6] & s[7]); }

  HF_AES void absorb(Bytes ad) {
    for (; ad.size() >= kStep; ad.remove_prefix(kStep)) update(load(ad.data()), load(ad.data() + 16));
    if (ad.empty()) return;
    char last[kStep] = {};
    std::memcpy(last, ad.data(), ad.size());
    update(load(last), load(last + 16));
  }

  HF_AES void encrypt(char* p, size_t n) {
    for (; n >= kStep; n -= kStep, p += kStep) {
      Block t0 = load(p), t1 = load(p + 16);
      store(p, t0 ^ z0());
      store(p + 16, t1 ^ z1());
      update(t0, t1);
    }
    if (n == 0) return;
    char last[kStep] = {};
    std::memcpy(last, p, n);
    encrypt(last, kStep);
    std::memcpy(p, last, n);
  }

  HF_AES void decrypt(char* p, size_t n) {
    for (; n >= kStep; n -= kStep, p += kStep) {
      Block t0 = load(p) ^ z0(), t1 = load(p + 16) ^ z1();
      store(p, t0);
      store(p + 16, t1);
      update(t0, t1);
    }
    if (n == 0) return;
    char last[kStep] = {};
    std::memcpy(last, p, n);
    store(last, load(last) ^ z0());
    store(last + 16, load(last + 16) ^ z1());
    std::memset(last + n, 0, kStep - n);
    update(load(last), load(last + 16));
    std::memcpy(p, last, n);
  }

  HF_AES Block finish(size_t ad_size, size_t text_size) {
    Block t = s[2] ^ Block { static_cast<long long>(ad_size * 8), static_cast<long long>(text_size * 8) };
    for (int i = 0; i < 7; ++i) update(t, t);
    return s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] ^ s[5] ^ s[6];
  }
};
static_assert(std::endian::native == std::endian::little, "the lengths in finish() are stored as they lie");

template <class Aes>
HF_AES void seal(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  State<Aes> state(key, nonce);
  state.absorb(ad);
  state.encrypt(text.data(), text.size());
  store(tag, state.finish(ad.size(), text.size()));
  wipe({reinterpret_cast<char*>(&state), sizeof state});
}

template <class Aes>
HF_AES void open(Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  State<Aes> state(key, nonce);
  state.absorb(ad);
  state.decrypt(text.data(), text.size());
  store(tag, state.finish(ad.size(), text.size()));
  wipe({reinterpret_cast<char*>(&state), sizeof state});
}

void check(Bytes key, Bytes nonce) {
  HF_ASSERT(key.size() == kAegisKeyBytes && nonce.size() == 16, "callers bring what the cipher takes");
}

}  // namespace

AesUnit aes_unit() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") ? AesUnit::kPresent : AesUnit::kNone;
#else
  return AesUnit::kNone;
#endif
}

void aegis128l_seal(AesUnit unit, Bytes key, Bytes nonce, Bytes ad, MutableBytes text, char* tag) {
  check(key, nonce);
  unit == AesUnit::kPresent ? seal<Instructions>(key, nonce, ad, text, tag) : seal<Portable>(key, nonce, ad, text, tag);
}

bool aegis128l_open(AesUnit unit, Bytes key, Bytes nonce, Bytes ad, MutableBytes text, Bytes tag) {
  check(key, nonce);
  Secret<kTagBytes> right;
  char* expected = right.bytes().data();
  unit == AesUnit::kPresent ? open<Instructions>(key, nonce, ad, text, expected)
                            : open<Portable>(key, nonce, ad, text, expected);
  if (equal(right, tag) || MUTANT("frame-tag-not-compared")) return true;
  wipe(text);
  return false;
}

}  // namespace holdfast::wire
