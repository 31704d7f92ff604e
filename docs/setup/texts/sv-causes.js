// Swedish: why something did not work.

export default Object.freeze({
  "end.wrong-code": "Den här enheten har en annan inställningskod. Jämför koden med etiketten.",
  "end.locked": "För många felaktiga koder. Enheten prövar nästa om {seconds} sekunder.",
  "end.locked-long": "För många felaktiga koder. Enheten prövar nästa om {minutes} minuter.",
  "end.protocol": "Enheten förstod inte den här sidan. Ladda om sidan och försök igen.",
  "end.timeout": "Enheten väntade för länge. Gå närmare och anslut igen.",
  "end.closed":
    "Inställningen stängdes på enheten. Öppna den igen med knappen eller kommandot `sudo sensed setup open`.",
  "end.version":
    "Enheten talar en annan version än den här sidan. Uppdatera sensed på enheten och ladda om sidan.",
  "end.reset":
    "Enheten återställdes och har en ny inställningskod. Kommandot `sudo sensed setup code` visar den.",
  "end.impostor":
    "Det som svarar känner inte till inställningskoden. Kanske är det en annan enhet; den fick inte veta något.",
  "end.broken": "Det som kom från enheten var skadat. Anslut igen.",
  "end.lost": "Förbindelsen bröts. Gå närmare och anslut igen.",
  "end.silent": "Enheten svarar inte längre. Gå närmare och anslut igen.",
  "end.left": "Förbindelsen avslutades.",
  "end.occupied":
    "En annan telefon eller dator är ansluten till enheten. Koppla från den, eller vänta.",
  "end.not-open":
    "Inställningen är inte öppen. Öppna den med enhetens knapp eller kommandot `sudo sensed setup open`.",
  "end.not-chosen": "Ingen enhet valdes.",
  "end.no-bluetooth":
    "Webbläsaren lät inte sidan använda Bluetooth. Se efter om Bluetooth är på och tillåtet för webbläsaren.",
  "end.unreachable": "Enheten kan inte nås. Gå närmare och försök igen.",
  "end.not-sensed":
    "Detta är ingen sensed-enhet, eller så är versionen för gammal för den här sidan, eller så är krypterad inställning avstängd där.",

  "code.bad-request": "Enheten förstod inte vad sidan bad om. Ladda om sidan.",
  "code.unknown-request": "Den här versionen av sensed kan inte det. Uppdatera den.",
  "code.busy": "Enheten arbetar fortfarande med något annat. Försök igen om ett ögonblick.",
  "code.failed": "Enheten kunde inte göra det. Journalen berättar varför: `journalctl -u sensed`",
  "code.timeout": "Det tog för lång tid. Försök igen.",
  "code.too-long": "Det är för mycket för ett meddelande. Spara certifikaten för sig.",
  "code.unknown": "Enheten anger en orsak som sidan inte känner till: {code}",

  "code.wrong-password": "Nätet godtar inte det här lösenordet.",
  "code.ssid-not-found":
    "Enheten ser inte nätet. Många enheter ser bara nät på 2,4 GHz, medan telefonen kan vara på 5 GHz.",
  "code.no-dhcp": "Nätet ger ingen adress. Se på routerns DHCP.",
  "code.supplicant":
    "Nätet släpper inte in enheten. Kontrollera lösenordet; är det rätt, byt från WPA3 till WPA2 i routern.",
  "code.wifi-blocked":
    "Wi-Fi är blockerat på enheten: ställ in Wi-Fi-land med `raspi-config`, eller häv blockeringen med `rfkill`.",
  "code.no-wifi": "Enheten har ingen Wi-Fi-adapter som kan användas.",
  "code.permission": "Enhetens program får inte ändra nät. Installera om paketet.",
  "code.security-unsupported":
    "Den här sortens Wi-Fi-säkerhet kan inte användas med bara ett lösenord.",
  "code.hardware": "Wi-Fi-adaptern slutade fungera. Starta om enheten.",
  "code.network-manager": "NetworkManager på enheten nekade, eller är inte igång.",
  "code.not-saved": "Nätet fungerar, men kunde inte sparas. Försök igen.",

  "code.unknown-setting": "Enheten känner inte till den här inställningen. Uppdatera sensed på enheten.",
  "code.locked":
    "Den här inställningen är bestämd i `/etc/sensed/sensed.toml` och kan inte ändras här.",
  "code.invalid": "Enheten godtar inte det här värdet.",
  "code.contradiction": "Inställningarna passar inte ihop.",
  "code.not-stored": "Inställningarna kunde inte skrivas. Är enhetens disk full?",
  "code.broker-dns":
    "Brokerns namn är inte känt i nätet. Kontrollera det, eller skriv in en adress.",
  "code.broker-refused":
    "Ingen lyssnar på den här porten. Kontrollera att brokern är igång, och porten.",
  "code.broker-unreachable": "Brokerns adress kan inte nås. Kontrollera den och nätet.",
  "code.broker-timeout": "Brokern svarar inte. Kontrollera adressen och brandväggen.",
  "code.broker-tls":
    "Ingen krypterad förbindelse: kontrollera TLS-inställningen, porten, brokerns certifikat och namnet i det.",
  "code.broker-clock":
    "Brokerns certifikat gäller inte än, så enhetens klocka går fel. Vänta tills den har fått nätets tid.",
  "code.broker-version": "Brokern godtar inte den här versionen av MQTT. Välj den andra.",
  "code.broker-identifier": "Brokern godtar inte enhetens klient-id. Välj ett annat.",
  "code.broker-unavailable": "Brokern tar inte emot anslutningar nu. Försök igen senare.",
  "code.broker-not-authorised": "Brokern avvisar användarnamnet eller lösenordet.",
  "code.broker-not-permitted":
    "Brokern låter inte enheten skriva och läsa sina egna ämnen. Tillåt det i brokerns åtkomstlista.",
  "code.broker-no-acknowledgement": "Brokern kvitterar inte längre.",
  "code.broker-protocol":
    "Det som lyssnar där talar inte MQTT. Kontrollera porten och TLS-inställningen.",
  "code.broker-taken-over":
    "En annan klient hos brokern använder samma klient-id. Ge varje enhet ett eget id.",
  "code.broker-lost": "Förbindelsen till brokern bröts.",

  "cause.configured.no_broker": "Ingen broker är angiven.",
  "cause.configured.no_network": "Inget Wi-Fi-nät är sparat, och ingen kabel är ansluten.",
  "cause.meter.no_octets":
    "Inget kommer från adaptern. Kontrollera kabeln, och fråga elnätsföretaget om HAN-porten är öppnad.",
  "cause.meter.no_frames":
    "Något kommer, men inga hela telegram. Kontrollera kabeln och adaptern.",
  "cause.meter.no_device": "Det finns ingen adapter. Sätt i den.",
  "cause.meter.permission": "Programmet får inte öppna adaptern.",
  "cause.meter.busy": "Ett annat program har öppnat adaptern.",
  "cause.meter.not_a_tty": "Det som är angivet som adapter är ingen serieport.",
  "cause.meter.settings": "Adaptern klarar inte linjeformatet.",
  "cause.meter.unplugged": "Adaptern drogs ur eller slutade fungera.",
  "cause.meter.unreachable": "Serieservern svarar inte.",
  "cause.meter.closed": "Serieservern stängde förbindelsen.",
  "cause.meter.unknown_list": "Telegram kommer, men deras lista är okänd. Skicka gärna en inspelning.",
  "cause.meter.malformed_list":
    "Det kommer telegram, men innehållet bryter mot reglerna. Skicka gärna en inspelning.",
  "cause.meter.no_key": "Listorna är krypterade. Skriv in nyckeln från elnätsföretaget.",
  "cause.meter.wrong_key": "Listorna är krypterade, och nyckeln passar inte.",
  "cause.meter.damaged": "Listorna kommer fram skadade. Kontrollera kabeln.",
  "cause.meter.unsupported_security": "Listorna är krypterade på ett sätt som inte stöds.",
  "cause.address.no_address": "Ingen förbindelse har en adress. Kontrollera Wi-Fi, kabel och DHCP.",
  "cause.address.wifi-blocked": "Wi-Fi är blockerat. Ange landet för Wi-Fi, eller häv blockeringen med `rfkill`.",
  "cause.light.light_unavailable": "Lampans GPIO-linjer kan inte användas.",
  "cause.bluetooth.no-dbus": "Det finns ingen D-Bus för systemet.",
  "cause.bluetooth.no-bluez": "BlueZ är inte igång.",
  "cause.bluetooth.no-adapter": "Det finns ingen Bluetooth-adapter.",
  "cause.bluetooth.adapter-blocked": "Bluetooth-adaptern är blockerad.",
  "cause.bluetooth.refused": "BlueZ nekade.",
  "cause.network_manager.absent": "Det är inte igång, eller har ingen D-Bus.",
});
