// Queries against answers of mingo 7.2.7 (github.com/kofrasa/mingo), a MongoDB query engine in JavaScript.
//
// data/mingo_answers.tsv: answer, query and document, a line each; documents and queries as Extended JSON. They are what is left of 107,790 generated cases of
// which 733 (0.7 %) were answered otherwise, all for one of these reasons, where the manual is with us ("Query and Projection Operators"):
//   - $type looks at an array's elements, too ("Querying by Data Type, Arrays"); mingo looks at the array alone, and takes a missing field in an array for an array.
//   - $mod cuts fractions, and matches numbers only ("Floating Point Arguments"); mingo takes "" and false for 0.
//   - $size of a field that is missing in the elements of an array matches nothing; mingo finds 0.
//   - {path: null} and the like match an element without the field beside elements with it ("Query for Null or Missing Fields"); mingo wants all without.
//   - A path whose elements are partly arrays finds the values of all of them; mingo those of some.
//   - NaN is in order with NaN alone; mingo finds it greater, and less, than every number.
//   - A query in $elemMatch looks at elements that are documents.
// Left out, for JavaScript or mingo knows too little of them: types and widths that JSON lacks, integers beyond 2^53, negative zero, arrays in arrays, positions in
// paths, order between null, documents and arrays, arrays as operands, $all of scalars, $exists of anything but a boolean, and what is refused.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "client/cli/ejson.h"
#include "core/query.h"

namespace holdfast::core {
namespace {

TEST(Query, AnswersAsAnotherEngineDoes) {
  std::ifstream in(HOLDFAST_SOURCE_DIR "/tests/unit/data/mingo_answers.tsv");
  std::map<std::string, int> answers;
  for (std::string line; std::getline(in, line);) {
    size_t first = line.find('\t'), second = line.find('\t', first + 1);
    ASSERT_NE(second, std::string::npos) << line;
    std::string expected = line.substr(0, first);
    auto query = cli::from_json(line.substr(first + 1, second - first - 1));
    auto document = cli::from_json(line.substr(second + 1));
    ASSERT_TRUE(query && document) << line;
    auto compiled = Query::compile(*query);
    ASSERT_TRUE(compiled) << line << ": " << compiled.error().text();
    EXPECT_EQ(compiled->match(*document) == Query::Match::kYes ? "yes" : "no", expected) << line;
    ++answers[expected];
  }
  EXPECT_GE(answers["yes"], 900);
  EXPECT_GE(answers["no"], 900);
}

}  // namespace
}  // namespace holdfast::core
