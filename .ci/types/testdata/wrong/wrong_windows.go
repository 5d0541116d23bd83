package wrong

var count int = lines
