# Build settings and the three functions that every folder uses.

option(UPROAR_TESTS "Build tests" ON)
option(UPROAR_BENCH "Build benchmarks" ON)
option(UPROAR_WERROR "Treat warnings as errors" ON)
option(UPROAR_PORTABLE "Build for the baseline CPU instead of x86-64-v3 with pclmul" OFF)
option(UPROAR_FUZZ "Build fuzz targets with libFuzzer (clang); otherwise they replay their corpora" OFF)
option(UPROAR_PRECOMPILE "Parse the headers of GoogleTest once for all tests, not in each; with address sanitizer those of the libraries, too" ON)
set(UPROAR_WEAKEN "" CACHE STRING "Name of one defence to leave out (proto/base/weakness.h): for tests of the tests alone")
set(UPROAR_SANITIZE "" CACHE STRING "Value for -fsanitize=, e.g. address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()
# Line tables are what profilers and stack traces read; the rest of -g costs 29 % of the time to compile.
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1 -DNDEBUG -fno-omit-frame-pointer")

find_program(UPROAR_CCACHE ccache)
if(UPROAR_CCACHE)
  # The sloppiness is what ccache's manual asks for where headers are precompiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${UPROAR_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${UPROAR_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict)   # g++ 12 sees overlaps in "literal" + temporary that are none (GCC bug 105651)
endif()
if(UPROAR_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND NOT UPROAR_PORTABLE)
  # simdjson chooses its On-Demand kernel at compile time and is slow without pclmul.
  add_compile_options(-march=x86-64-v3 -mpclmul)
endif()
if(UPROAR_SANITIZE)
  add_compile_options(-fsanitize=${UPROAR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${UPROAR_SANITIZE})
  if(UPROAR_SANITIZE MATCHES "address")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-include${CMAKE_CURRENT_LIST_DIR}/installed_abseil.h>)
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT UPROAR_SANITIZE)
  include(hardening)
endif()
if(UPROAR_WEAKEN)
  message(WARNING "this build lacks the defence ${UPROAR_WEAKEN}: never run it for people")
  add_compile_definitions(UPROAR_WEAKEN="${UPROAR_WEAKEN}")
endif()
if(UPROAR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)   # tests take it back: nobody steers by their branches
endif()

include_directories(${CMAKE_SOURCE_DIR})
include_directories(${CMAKE_BINARY_DIR}/generated)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# uproar_library(<name> SOURCES ... [LINK ...] [THROWS])
# One folder, one library uproar_<name>. LINK lists public dependencies. THROWS keeps exceptions and RTTI for a
# folder that fences a throwing library; everything else is built without.
function(uproar_library name)
  cmake_parse_arguments(ARG "THROWS" "" "SOURCES;LINK" ${ARGN})
  add_library(uproar_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(uproar_${name} PUBLIC ${ARG_LINK})
  if(NOT ARG_THROWS)
    target_compile_options(uproar_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
    if(NOT UPROAR_SANITIZE MATCHES "undefined")   # the vptr check of ubsan needs RTTI
      target_compile_options(uproar_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
    endif()
    uproar_precompile(uproar_${name})
  endif()
endfunction()

# Under address sanitizer the largest headers of the libraries are parsed once. The other builds do not, and so find an include that is
# missing; g++ would refuse them where a library defines _FILE_OFFSET_BITS.
function(uproar_precompile target)
  if(NOT UPROAR_PRECOMPILE OR NOT UPROAR_SANITIZE MATCHES "address")
    return()
  endif()
  if(NOT TARGET uproar_library_headers)
    add_library(uproar_library_headers OBJECT ${CMAKE_SOURCE_DIR}/tools/cmake/precompiled.cc)
    get_target_property(options ${target} COMPILE_OPTIONS)
    set_target_properties(uproar_library_headers PROPERTIES COMPILE_OPTIONS "${options}")
    target_precompile_headers(uproar_library_headers PRIVATE <algorithm> <array> <deque> <functional> <map> <memory> <optional> <span>
      <string> <string_view> <tuple> <utility> <variant> <vector> <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM uproar_library_headers)
endfunction()

# What the label unit runs, and nothing more: all that a sanitizer build needs.
add_custom_target(uproar_unit)

# uproar_test(<name> SOURCES ... [LINK ...] [LABELS ...] [THREADED]): a GoogleTest program, one ctest entry. THREADED:
# several threads run in it; thread sanitizer, which learns nothing from the others, builds only these.
function(uproar_test name)
  cmake_parse_arguments(ARG "THREADED" "" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  if(UPROAR_PRECOMPILE)
    target_precompile_headers(${name} REUSE_FROM uproar_test_headers)
  endif()
  if(UPROAR_SANITIZE STREQUAL "thread" AND NOT ARG_THREADED)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "unit;${ARG_LABELS}")
  add_dependencies(uproar_unit ${name})
endfunction()

# uproar_fuzz(<name> SOURCES ... [LINK ...]): with UPROAR_FUZZ a libFuzzer program; otherwise a program that replays
# the committed corpus tests/fuzz/corpus/<name>/ as an ordinary test.
function(uproar_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(UPROAR_FUZZ)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_compile_options(fuzz_${name} PRIVATE -O1 -fsanitize=fuzzer-no-link)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    add_test(NAME fuzz_${name}_corpus COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name}_corpus PROPERTIES TIMEOUT 120 LABELS "fuzz")
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINK})
  if(UPROAR_SANITIZE AND NOT UPROAR_FUZZ)
    set_target_properties(fuzz_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# uproar_bench(<name> SOURCES ... [LINK ...]): a Google Benchmark program; runs once in ctest so that it cannot rot.
function(uproar_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(bench_${name} ${ARG_SOURCES})
  target_link_libraries(bench_${name} PRIVATE ${ARG_LINK} benchmark::benchmark benchmark::benchmark_main)
  add_test(NAME bench_${name}_smoke COMMAND bench_${name} --benchmark_min_time=0.001)
  set_tests_properties(bench_${name}_smoke PROPERTIES TIMEOUT 120 LABELS "bench")
endfunction()
