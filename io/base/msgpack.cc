#include "io/base/msgpack.h"
