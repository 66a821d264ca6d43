#pragma once

// Included before everything else in builds with address sanitizer. The abseil that is installed was compiled without it, and from
// Debian 13 on its headers lay hash tables out in another way, and poison what is free in them, where the sanitizer is on: what the
// library then writes looks like a fault. With the macro gone the headers mean what the library was made of.

#include <absl/base/config.h>

#undef ABSL_HAVE_ADDRESS_SANITIZER
