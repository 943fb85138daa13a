// The opener of sealed frames: gives out exactly the frames that were sealed, in their order, and after the first other
// one nothing.
//
// Input: the style, then pieces: a length, and so many bytes. A length above 200 stands for the next genuine frame.
#include "io/wire/sealed_frames.h"

#include "tests/fuzz/fuzz.h"

namespace holdfast::wire {
namespace {

constexpr uint8_t kGenuine = 200;

struct Style {
  FrameStyle style;
  Cipher cipher;
};
constexpr Style kStyles[] = {{FrameStyle::kPskAegis, Cipher::kAegis128L},
                             {FrameStyle::kOwn, Cipher::kAegis128L},
                             {FrameStyle::kOwn, Cipher::kChaCha20Poly1305}};

AeadKey key(Cipher cipher) { return {.cipher = cipher, .unit = aes_unit(), .key = Key(Buffer(32, 'k'))}; }

/// The payload of the frame of that number.
Buffer sealed(FrameSealer& sealer, size_t number) {
  Buffer out;
  size_t start = begin_frame(out);
  out += Buffer(number * 7 % 40, static_cast<char>(number));
  end_frame(out, start);
  sealer.seal(out, start);
  return out.substr(kFrameHeaderSize);
}

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  for (char style : {'\0', '\1', '\2'}) {
    out.push_back(Buffer(1, style) + "\xff\xff\xff\x05hello\xff");
    FrameSealer sealer(kStyles[static_cast<size_t>(style)].style, key(kStyles[static_cast<size_t>(style)].cipher));
    Buffer all(1, style);
    for (size_t n = 0; n < 3; ++n) {
      Buffer frame = sealed(sealer, n);
      all += static_cast<char>(frame.size());
      all += frame;
    }
    out.push_back(all);
  }
  return out;
}

}  // namespace

HOLDFAST_FUZZER(sealed, seeds) {
  if (input.empty()) return;
  auto [style, cipher] = kStyles[static_cast<uint8_t>(input[0]) % std::size(kStyles)];
  FrameSealer sealer(style, key(cipher));
  FrameOpener opener(style, key(cipher));
  bool refused = false;
  size_t number = 0;
  for (Bytes rest = input.substr(1); !rest.empty();) {
    auto size = static_cast<uint8_t>(rest[0]);
    rest.remove_prefix(1);
    Buffer genuine = sealed(sealer, number++);
    Buffer payload = size > kGenuine ? genuine : Buffer(rest.substr(0, size));
    if (size <= kGenuine) rest.remove_prefix(std::min<size_t>(size, rest.size()));
    bool is_next = payload == genuine;
    std::optional<Bytes> message = opener.open(payload);
    FUZZ_CHECK(message.has_value() == (is_next && !refused));
    if (!message) FUZZ_CHECK(payload.find_first_not_of('\0') == Buffer::npos);
    refused = refused || !message;
  }
}

}  // namespace holdfast::wire
