# SPDX-License-Identifier: Apache-2.0
#
# A room is a folder and one static library. It sees the headers of the rooms
# it names in USES and of no other: its include path holds links to exactly
# those folders, so a wrong include does not compile.
#
#   room(frost USES base SOURCES sign.c ... LIBS PkgConfig::sodium)
#   room_program(mpc-log ROOM transparency USES base http SOURCES main.c)
#   room_test(test_frost_sign ROOM frost USES base SOURCES test_sign.c)
#   room_bench / room_fuzz: as room_test, not run by ctest by default

function(room_view target)
    set(view ${CMAKE_BINARY_DIR}/view/${target})
    file(MAKE_DIRECTORY ${view})
    foreach(name ${ARGN})
        if(NOT IS_DIRECTORY ${CMAKE_SOURCE_DIR}/${name})
            message(FATAL_ERROR "${target} uses ${name}: no such room")
        endif()
        file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${name} ${view}/${name} SYMBOLIC)
    endforeach()
    target_include_directories(${target} PRIVATE ${view})
endfunction()

function(room_libs target)
    foreach(name ${ARGN})
        target_link_libraries(${target} PRIVATE mpc_${name})
    endforeach()
endfunction()

function(room name)
    cmake_parse_arguments(R "" "" "USES;SOURCES;LIBS" ${ARGN})
    add_library(mpc_${name} STATIC ${R_SOURCES})
    room_view(mpc_${name} ${name} ${R_USES})
    room_libs(mpc_${name} ${R_USES})
    target_link_libraries(mpc_${name} PRIVATE ${R_LIBS})
endfunction()

function(room_program name)
    cmake_parse_arguments(R "" "ROOM" "USES;SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${R_SOURCES})
    room_view(${name} ${R_ROOM} ${R_USES})
    room_libs(${name} ${R_ROOM} ${R_USES})
    target_link_libraries(${name} PRIVATE ${R_LIBS})
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

function(room_binary name)
    cmake_parse_arguments(R "" "ROOM" "USES;SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${R_SOURCES})
    room_view(${name} ${R_ROOM} ${R_USES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    room_libs(${name} ${R_ROOM} ${R_USES})
    target_link_libraries(${name} PRIVATE ${R_LIBS})
    target_compile_definitions(${name} PRIVATE
        MPC_BUILD_DIR="${CMAKE_BINARY_DIR}"
        MPC_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

# What several test programs of a room share, compiled once.
function(room_test_part name)
    cmake_parse_arguments(R "" "ROOM" "USES;SOURCES;LIBS" ${ARGN})
    add_library(${name} STATIC EXCLUDE_FROM_ALL ${R_SOURCES})
    room_view(${name} ${R_ROOM} ${R_USES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    room_libs(${name} ${R_ROOM} ${R_USES})
    target_link_libraries(${name} PRIVATE ${R_LIBS})
    target_compile_definitions(${name} PRIVATE
        MPC_BUILD_DIR="${CMAKE_BINARY_DIR}"
        MPC_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endfunction()

# LABELS lets check run a part: ctest -L sidecar
function(room_test name)
    cmake_parse_arguments(R "" "ROOM" "USES;SOURCES;LIBS" ${ARGN})
    room_binary(${name} ROOM ${R_ROOM} USES ${R_USES} SOURCES ${R_SOURCES}
        LIBS ${R_LIBS} PkgConfig::cmocka)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${R_ROOM} TIMEOUT 300)
endfunction()

function(room_bench name)
    room_binary(${name} ${ARGN})
endfunction()

# Only the fuzz preset builds these; check runs each for a few seconds.
function(room_fuzz name)
    if(NOT MPC_FUZZ)
        return()
    endif()
    room_binary(${name} ${ARGN})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
