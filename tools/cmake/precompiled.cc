// CMake wants a source for each library; this one is for the precompiled headers of the libraries
// (uproar.cmake).
