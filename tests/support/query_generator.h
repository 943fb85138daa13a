// Random queries for one operator at a time, aimed at a document so that matching and not matching are both frequent.
#pragma once

#include <span>

#include "tests/support/tree.h"

namespace holdfast::test {

struct QueryGenerator {
  TreeGenerator values;

  explicit QueryGenerator(Rng rng) : values{rng} {}

  /// What query() knows.
  static std::span<const std::string_view> operators();

  /// With more short strings and small numbers than TreeGenerator's.
  Tree document();
  /// A query in which `op` decides often: alone, beside other conditions, or inside others. Now and then one that must
  /// be refused, mostly for the operand of `op`.
  Tree query(std::string_view op, const Tree& document);

 private:
  Tree enriched(const Tree& tree);
  std::string word();
  Tree small_number();
  Tree any_width(int64_t number);
  const Tree& inside(const Tree& value);
  Tree near(const Tree& value);
  Tree operand(const Tree& value);

  Tree list(const Tree& value);
  Tree truth();
  Tree type(const Tree& value);
  std::string pattern(const Tree& value);
  Tree regex(const Tree& value);
  Tree mod(const Tree& value);
  Tree size(const Tree& value);
  Tree all(const Tree& value, int depth);
  Tree element(const Tree& value, int depth);

  std::string_view any_operator(int depth);
  std::pair<std::string, Tree> place(std::string_view op, const Tree& document);
  Tree on_value(std::string_view op, const Tree& value, int depth);
  Tree operators_for(std::string_view op, const Tree& value, int depth);
  Tree condition(std::string_view op, const Tree& document, int depth);
  Tree conditions(std::string_view op, const Tree& document, int depth);
  Tree any_query(const Tree& document, int depth);
  Tree refused(std::string_view op, const Tree& document);
};

}  // namespace holdfast::test
