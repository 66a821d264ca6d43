# uproar_embed(<target> NAMESPACE <ns> FILES <file>... [BASE <folder>])
#
# Puts files into the target as constant bytes, with nothing but cmake. Adds to <target> a generated source, and a header
# found as "<path of this folder>/<last part of ns>_files.h". With NAMESPACE uproar::gateway::page in core/gateway:
#
#   #include "core/gateway/page_files.h"
#   const uproar::gateway::page::File* file = uproar::gateway::page::find("app.js");   // nullptr when there is none
#   file->path, file->content_type, file->bytes, file->etag
#   for (const auto& file : uproar::gateway::page::files()) ...
#
# `path` is relative to BASE (default: the current source folder) and is matched exactly; all views live as long as the
# program. `etag` is quoted as HTTP wants it: half of the SHA-256, so it changes with the bytes. The content type comes
# from the file's extension; an unknown extension is an error here rather than a surprise in a browser.

set(UPROAR_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_generate.cmake)

function(uproar_embed target)
  cmake_parse_arguments(ARG "" "NAMESPACE;BASE" "FILES" ${ARGN})
  if(NOT ARG_NAMESPACE OR NOT ARG_FILES)
    message(FATAL_ERROR "uproar_embed(${target}): NAMESPACE and FILES are needed")
  endif()
  if(NOT ARG_BASE)
    set(ARG_BASE ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  get_filename_component(base ${ARG_BASE} ABSOLUTE)

  set(files "")
  foreach(file ${ARG_FILES})
    get_filename_component(path ${file} ABSOLUTE)
    list(APPEND files ${path})
  endforeach()

  string(REGEX REPLACE ".*::" "" name ${ARG_NAMESPACE})
  file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(stem ${folder}/${name}_files)
  set(output ${CMAKE_BINARY_DIR}/generated/${stem})
  list(JOIN files "|" joined)
  add_custom_command(
    OUTPUT ${output}.h ${output}.cc
    COMMAND ${CMAKE_COMMAND} -DNAMESPACE=${ARG_NAMESPACE} -DSTEM=${stem} -DOUTPUT=${output} -DBASE=${base}
            "-DFILES=${joined}" -P ${UPROAR_EMBED_SCRIPT}
    DEPENDS ${files} ${UPROAR_EMBED_SCRIPT}
    COMMENT "Embedding ${folder}: ${name}"
    VERBATIM)
  # The generated header must exist before any source of the target is compiled; listing it does that.
  target_sources(${target} PRIVATE ${output}.cc ${output}.h)
  set_source_files_properties(${output}.cc PROPERTIES COMPILE_OPTIONS "-Wno-overlength-strings")
endfunction()
