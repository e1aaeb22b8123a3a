package demo

import (
	"strings"

	"github.com/homeroom-sms/homeroom/ent/tenant/student"
)

// culture is names that are heard together.
type culture struct{ female, male, last string }

var cultures = []culture{
	{
		"Emma Olivia Grace Hannah Abigail Chloe Lucy Megan Claire Ruth", "James William Henry Thomas Owen Samuel Jack Daniel Luke Peter",
		"Bennett Carter Hughes Marshall Palmer Reed Sullivan Turner Walsh Whitaker Fletcher Harding",
	},
	{
		"Imani Keisha Nia Jasmine Aaliyah Zora Simone Maya Ebony Naomi", "Malik Jamal Darius Isaiah Marcus Elijah Andre Terrence Xavier Langston",
		"Banks Booker Coleman Dawson Freeman Gaines Jefferson Mosley Rollins Sampson Tolliver Winfield",
	},
	{
		"Sofía Valentina Camila Lucía Elena Ximena Daniela Paloma Inés Renata", "Mateo Santiago Diego Andrés Joaquín Emiliano Tomás Rafael Nicolás Julián",
		"Aguilar Castillo Domínguez Fuentes Herrera Ibáñez Maldonado Núñez Ortega Quintero Salazar Villanueva",
	},
	{
		"Ana Beatriz Mariana Larissa Helena Joana Letícia Catarina Teresa Inês", "João Pedro Thiago Gustavo Caio Afonso Duarte Henrique Vitor Miguel",
		"Almeida Barbosa Cardoso Ferreira Gonçalves Magalhães Moreira Pacheco Ribeiro Tavares",
	},
	{
		"Amara Chiamaka Ngozi Adaeze Folake Yetunde Ifeoma Temitope Zainab Halima", "Chidi Emeka Obinna Tunde Kayode Segun Uche Femi Ibrahim Musa",
		"Adeyemi Balogun Chukwu Eze Ogunleye Okafor Okonkwo Olawale Onyeka Uzor",
	},
	{
		"Akosua Abena Esi Wanjiru Achieng Njeri Nomvula Thandiwe Lindiwe Rutendo", "Kwame Kofi Yaw Kamau Otieno Mwangi Sipho Thabo Bongani Tendai",
		"Asante Boateng Mensah Kimani Mutua Njoroge Odhiambo Dlamini Khumalo Mokoena Ndlovu Moyo",
	},
	{
		"Layla Noor Yasmin Salma Mariam Rania Hala Dina Amina Samira", "Omar Yusuf Karim Tariq Hassan Bilal Khalid Samir Zaid Nabil",
		"Abboud Darwish Farouk Haddad Khoury Mansour Nasser Qasim Rahal Saleh Shaheen Zidan",
	},
	{
		"Aanya Priya Diya Kavya Meera Ishita Ananya Riya Lakshmi Pooja", "Arjun Rohan Vikram Aarav Karthik Nikhil Dev Sanjay Ravi Anand",
		"Agarwal Banerjee Chaudhary Deshmukh Iyer Joshi Kulkarni Menon Nair Patel Reddy Venkatesan",
	},
	{
		"Ayesha Fatima Hina Sana Mahnoor Zara Nusrat Tahmina Rabia Iqra", "Ali Hamza Imran Usman Faisal Rashid Shahid Kamal Asif Bilal",
		"Ahmed Akhtar Chowdhury Hossain Iqbal Malik Mirza Qureshi Rahman Siddiqui",
	},
	{
		"Mei Xinyi Lan Jia Yuting Wenjing Hui Ying Qian Shu", "Wei Jun Hao Ming Zhiyuan Bowen Tao Cheng Yifan Lei",
		"Chen Deng Gao Huang Liang Lin Shen Tang Wu Xie Zhang Zhou",
	},
	{
		"Hana Yui Sakura Aoi Minji Seoyeon Jiwoo Haruka Eunji Naoko", "Haruto Ren Sota Kenji Minho Jisoo Hyun Daiki Takumi Joon",
		"Fujimoto Hayashi Ishikawa Kobayashi Matsuda Nakagawa Bae Choi Hwang Jang Kwon Yoon",
	},
	{
		"Linh Thuy Ngoc Maricel Althea Liwayway Siti Dewi Ratna Malee", "Minh Quang Huy Bayani Ramil Jomar Budi Agus Surya Somchai",
		"Bui Dang Pham Truong Bautista Dimaculangan Macaraeg Santos Hartono Setiawan Wijaya Srisai",
	},
	{
		"Zofia Katarzyna Hanna Milena Oksana Daria Kateřina Ilona Réka Irina", "Jakub Wojciech Tomasz Andriy Bohdan Luka Ondřej Gergő Zoltán Mihai",
		"Kowalczyk Mazur Wójcik Bondarenko Shevchenko Kovač Horvat Dvořák Németh Szabó Popa Ionescu",
	},
	{
		"Anneliese Freya Ingrid Lotte Sanne Élodie Camille Margaux Giulia Chiara", "Lukas Jonas Matthias Søren Lars Bram Étienne Baptiste Lorenzo Matteo",
		"Brandt Köhler Schäfer Lindqvist Sørensen Nygaard Visser Dubois Lefèvre Moreau Bianchi Rinaldi",
	},
	{
		"Elif Zeynep Defne Aylin Shirin Parisa Nasrin Roya Tamar Noa", "Emre Kerem Mehmet Burak Arash Dariush Kaveh Reza Eitan Levan",
		"Aydın Demir Kaya Yıldız Ahmadi Karimi Rostami Tehrani Mizrahi Shapiro Petrosyan Beridze",
	},
	{
		"Kaya Winona Aiyana Leilani Moana Mahina Tui Aroha Ngaio Sina", "Takoda Chayton Nodin Kai Keoni Tane Wiremu Sione Mana Koa",
		"Begaye Redcloud Tsosie Whitehorse Kahale Kealoha Ngata Parata Tuilagi Faleolo",
	},
}

// plain writes a lower-case name in the letters of an address.
var plain = strings.NewReplacer(
	"á", "a", "ã", "a", "ä", "ae", "č", "c", "ç", "c", "é", "e", "è", "e", "ê", "e", "í", "i", "ı", "i", "ñ", "n",
	"ó", "o", "õ", "o", "ö", "oe", "ő", "o", "ø", "o", "ř", "r", "ú", "u",
)

var (
	children = []chance[int]{{68, 1}, {26, 2}, {6, 3}}
	genders  = []chance[student.Gender]{{49, student.GenderFemale}, {49, student.GenderMale}, {2, student.GenderOther}}
)

// households are who children live with; the first is whom the school calls first.
var households = []chance[[]string]{
	{56, []string{"Mother", "Father"}},
	{18, []string{"Mother"}},
	{6, []string{"Father"}},
	{6, []string{"Mother", "Stepfather"}},
	{4, []string{"Mother", "Grandmother"}},
	{3, []string{"Grandmother", "Grandfather"}},
	{3, []string{"Aunt", "Uncle"}},
	{2, []string{"Mother", "Mother"}},
	{1, []string{"Father", "Father"}},
	{1, []string{"Foster Mother", "Foster Father"}},
}

var women = []string{"Mother", "Grandmother", "Aunt", "Foster Mother"}

var streets = []string{
	"Alder Street", "Birch Lane", "Canal Road", "Chestnut Avenue", "Foundry Street", "Garden Row", "Harbour View",
	"Hill Road", "Linden Avenue", "Market Street", "Meadow Way", "Mill Lane", "Orchard Close", "Quarry Road", "Station Road", "Willow Court",
}
