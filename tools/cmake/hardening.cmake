# What compiler and linker do so that a fault of ours is harder to use: in release builds alone,
# since sanitizers look closer and debuggers want plain code. tests/tools/hardening reads the binary
# and fails for each of these that is missing.
include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)

set(UPROAR_AUTO_INIT "pattern" CACHE STRING "What automatic variables hold that nobody initialised: pattern, zero, or off for what was there")

# uproar_compile_flags(<variable> FLAG...): takes the flags where the compiler has them and is quiet
# about them.
function(uproar_compile_flags variable)
  string(JOIN " " CMAKE_REQUIRED_FLAGS -O2 -Werror ${ARGN})
  check_cxx_source_compiles(
    "#include <cstdio>\nint main(int count, char**) { char text[16]; return std::snprintf(text, sizeof text, \"%d\", count); }"
    ${variable})
  if(${variable})
    add_compile_options(${ARGN})
  endif()
endfunction()

# uproar_link_flags(<variable> WORD...): the same for words behind -Wl. A linker that only warns
# does not have them.
function(uproar_link_flags variable)
  list(JOIN ARGN "," words)
  check_linker_flag(CXX "LINKER:--fatal-warnings,${words}" ${variable})
  if(${variable})
    add_link_options("LINKER:${words}")
  endif()
endfunction()

# PIE, said aloud: not every compiler does it by itself. Libraries are compiled for programs: with
# -fPIC whatever another library might replace would not be inlined.
set(is_program "$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>")
set(is_loaded "$<OR:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>,$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>>")
add_compile_options("$<$<NOT:${is_loaded}>:-fPIE>")
add_link_options("$<${is_program}:-pie>")

# All is bound before main() runs, and what that wrote is read-only from then on.
add_link_options("LINKER:-z,relro,-z,now,-z,noexecstack")

uproar_compile_flags(UPROAR_HAS_STACK_PROTECTOR -fstack-protector-strong)

# Level 3 also knows sizes that are known at run time alone. Some distributions preset a level,
# which is taken back first.
uproar_compile_flags(UPROAR_HAS_FORTIFY_3 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
if(NOT UPROAR_HAS_FORTIFY_3)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# Indirect jumps land where one may land, and returns go back where they came from, on processors
# and kernels that look. ld marks the program even where the objects of an older C library are not
# marked; what is not marked in the process switches it off, no more.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  uproar_compile_flags(UPROAR_HAS_CET -fcf-protection=full)
  uproar_link_flags(UPROAR_LINKS_IBT -z ibt)
  uproar_link_flags(UPROAR_LINKS_SHSTK -z shstk)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  uproar_compile_flags(UPROAR_HAS_BRANCH_PROTECTION -mbranch-protection=standard)
endif()

if(NOT UPROAR_AUTO_INIT STREQUAL "off")
  uproar_compile_flags(UPROAR_HAS_AUTO_INIT_${UPROAR_AUTO_INIT} -ftrivial-auto-var-init=${UPROAR_AUTO_INIT})
  set(UPROAR_TAKES_AUTO_INIT ${UPROAR_HAS_AUTO_INIT_${UPROAR_AUTO_INIT}})   # uproar doctor tells it
endif()
