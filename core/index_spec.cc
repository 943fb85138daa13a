#include "core/index_spec.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include "core/path.h"
#include "io/base/msgpack.h"

namespace holdfast::core {
namespace {

using msgpack::Kind;
using Type = IndexField::Type;

constexpr std::array<std::string_view, 7> kNames = {"", "string", "integer", "float", "boolean", "time", "bytes"};

/// kAny for what no index holds: null, maps, arrays, other extensions.
Type type_of(const msgpack::Value& v) {
  switch (v.kind) {
    case Kind::kString: return Type::kString;
    case Kind::kUint:
    case Kind::kInt: return Type::kInteger;
    case Kind::kFloat: return Type::kFloat;
    case Kind::kBool: return Type::kBoolean;
    case Kind::kBinary: return Type::kBytes;
    case Kind::kTime: return Type::kTime;
    default: return Type::kAny;
  }
}

std::string_view shown_kind(Kind kind) {
  switch (kind) {
    case Kind::kNil: return "null";
    case Kind::kMap: return "map";
    case Kind::kArray: return "array";
    default: return "extension";
  }
}

/// What is found at one path: whether something fits, and else what is there.
struct Found {
  bool any = false;
  bool fits = false;
  std::string_view actual;

  void add(const msgpack::Value& v, Type wanted) {
    any = true;
    Type type = type_of(v);
    fits = fits || (type != Type::kAny && (wanted == Type::kAny || type == wanted));
    actual = type == Type::kAny ? shown_kind(v.kind) : name(type);
  }
};

/// A value, and of an array its elements.
void look(msgpack::Cursor at, CandidateKind kind, Type wanted, Found& found) {
  msgpack::Value v;
  if (kind == CandidateKind::kMissing || !at.next(v)) return;
  if (v.kind != Kind::kArray || kind == CandidateKind::kElement) return found.add(v, wanted);
  for (uint32_t i = 0, n = v.count; i < n; ++i) {
    msgpack::Cursor element = at;
    if (!at.skip() || !element.next(v)) return;
    found.add(v, wanted);
  }
}

}  // namespace

std::string IndexSpec::name() const {
  std::string out;
  for (const IndexField& f : fields) out += (out.empty() ? "" : ",") + f.path;
  return out;
}

std::string_view name(Type type) { return kNames[static_cast<size_t>(type)]; }

Result<Type> index_type(Bytes name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Type>(i);
  return fail(Code::kBadRequest, "an index is of values of the type string, integer, float, boolean, time or bytes");
}

Result<> check_index(const IndexSpec& spec) {
  if (spec.fields.empty()) return fail(Code::kBadRequest, "an index needs at least one field");
  if (spec.fields.size() > IndexSpec::kMaxFields)
    return fail(Code::kTooLarge, fmt::format("an index has at most {} fields", IndexSpec::kMaxFields));
  std::set<std::string_view> paths;
  for (const IndexField& f : spec.fields) {
    if (f.path.empty()) return fail(Code::kBadRequest, "a field of an index needs a name");
    if (f.path.size() > IndexSpec::kMaxPathBytes) return fail(Code::kTooLarge, fmt::format("a field's path has at most {} bytes", IndexSpec::kMaxPathBytes));
    if (!paths.insert(f.path).second) return fail(Code::kBadRequest, "an index names the field " + Path::shown(f.path) + " twice");
    HF_TRY(path, Path::parse(f.path));
    if (path.positions() > Path::kMaxPositions) return fail(Code::kTooLarge, "the path " + Path::shown(f.path) + " has too many array positions");
  }
  return {};
}

IndexFit fit(const IndexSpec& spec, Bytes document) {
  for (size_t i = 0; i < spec.fields.size(); ++i) {
    auto path = Path::parse(spec.fields[i].path);
    if (!path) return {IndexFit::Kind::kMissing, i};
    Found found;
    visit_candidates(msgpack::Cursor(document), path->components(), [&](CandidateKind kind, msgpack::Cursor at) {
      look(at, kind, spec.fields[i].type, found);
      return found.fits;
    });
    if (!found.any) return {IndexFit::Kind::kMissing, i};
    if (!found.fits) return {IndexFit::Kind::kOther, i, found.actual};
  }
  return {};
}

void append_index(Buffer& out, const IndexSpec& spec) {
  out.push_back(static_cast<char>(spec.fields.size()));
  for (const IndexField& f : spec.fields) {
    out.push_back(static_cast<char>(f.type));
    append_le(out, static_cast<uint16_t>(f.path.size()));
    out += f.path;
  }
}

IndexSpec take_index(ByteReader& in) {
  IndexSpec spec;
  for (auto n = in.le<uint8_t>(); n > 0 && in.ok(); --n) {
    IndexField f;
    auto type = in.le<uint8_t>();
    f.path = std::string(in.take(type < kNames.size() ? in.le<uint16_t>() : SIZE_MAX));
    f.type = static_cast<Type>(type);
    spec.fields.push_back(std::move(f));
  }
  if (in.ok() && !check_index(spec)) in.take(SIZE_MAX);
  return spec;
}

}  // namespace holdfast::core
