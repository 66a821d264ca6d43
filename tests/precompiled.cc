// CMake wants a source for each library; this one is for the precompiled headers of all tests
// (tests/CMakeLists.txt).
