package jeton

// Version is that of the API's document.
const Version = "0.0.0"
